-- Turns identities that were stored as a JSON string into the object that the
-- string holds. What else is a string stays, and finding out takes a parser that
-- does not fail, hence the Go step.

-- schemagate:step repair_user_oauth
