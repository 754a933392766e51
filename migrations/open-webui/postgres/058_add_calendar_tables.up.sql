-- Creates the tables of calendars, of their events and of those who attend.

CREATE TABLE calendar (
    id         text NOT NULL,
    user_id    text NOT NULL,
    name       text NOT NULL,
    color      text,
    is_default boolean NOT NULL,
    data       json,
    meta       json,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT calendar_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_calendar_user ON calendar (user_id);

CREATE TABLE calendar_event (
    id           text NOT NULL,
    calendar_id  text NOT NULL,
    user_id      text NOT NULL,
    title        text NOT NULL,
    description  text,
    start_at     bigint NOT NULL,
    end_at       bigint,
    all_day      boolean NOT NULL,
    rrule        text,
    color        text,
    location     text,
    data         json,
    meta         json,
    is_cancelled boolean NOT NULL,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    CONSTRAINT calendar_event_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_calendar_event_calendar ON calendar_event (calendar_id, start_at);
CREATE INDEX ix_calendar_event_user_date ON calendar_event (user_id, start_at);

CREATE TABLE calendar_event_attendee (
    id         text NOT NULL,
    event_id   text NOT NULL,
    user_id    text NOT NULL,
    status     text NOT NULL,
    meta       json,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT calendar_event_attendee_pkey PRIMARY KEY (id),
    CONSTRAINT uq_event_attendee UNIQUE (event_id, user_id)
);
CREATE INDEX ix_calendar_event_attendee_user ON calendar_event_attendee (user_id, status);
