-- Adds the id under which a chat is shared.

ALTER TABLE chat ADD COLUMN share_id VARCHAR(255);
CREATE UNIQUE INDEX "chat_share_id" ON "chat" ("share_id");
