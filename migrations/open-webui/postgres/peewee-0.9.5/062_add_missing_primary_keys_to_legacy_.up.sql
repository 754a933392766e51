-- Makes the ids of eight tables primary keys. They have been NOT NULL and unique by
-- an index, which stays. Revision 38 has given "user" its primary key.

ALTER TABLE auth ADD CONSTRAINT pk_auth PRIMARY KEY (id);
ALTER TABLE chat ADD CONSTRAINT pk_chat PRIMARY KEY (id);
ALTER TABLE chatidtag ADD CONSTRAINT pk_chatidtag PRIMARY KEY (id);
ALTER TABLE file ADD CONSTRAINT pk_file PRIMARY KEY (id);
ALTER TABLE "function" ADD CONSTRAINT pk_function PRIMARY KEY (id);
ALTER TABLE memory ADD CONSTRAINT pk_memory PRIMARY KEY (id);
ALTER TABLE model ADD CONSTRAINT pk_model PRIMARY KEY (id);
ALTER TABLE tool ADD CONSTRAINT pk_tool PRIMARY KEY (id);
