-- Removes the names by which identity providers know users. Their index goes with
-- them.

ALTER TABLE "user" DROP COLUMN oauth_sub;
