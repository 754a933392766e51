-- Creates the tables of calendars, of their events and of those who attend.

CREATE TABLE calendar (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    color      TEXT,
    is_default BOOLEAN NOT NULL,
    data       JSON,
    meta       JSON,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_calendar_user ON calendar (user_id);

CREATE TABLE calendar_event (
    id           TEXT NOT NULL,
    calendar_id  TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    title        TEXT NOT NULL,
    description  TEXT,
    start_at     BIGINT NOT NULL,
    end_at       BIGINT,
    all_day      BOOLEAN NOT NULL,
    rrule        TEXT,
    color        TEXT,
    location     TEXT,
    data         JSON,
    meta         JSON,
    is_cancelled BOOLEAN NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_calendar_event_calendar ON calendar_event (calendar_id, start_at);
CREATE INDEX ix_calendar_event_user_date ON calendar_event (user_id, start_at);

CREATE TABLE calendar_event_attendee (
    id         TEXT NOT NULL,
    event_id   TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    status     TEXT NOT NULL,
    meta       JSON,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_event_attendee UNIQUE (event_id, user_id)
);
CREATE INDEX ix_calendar_event_attendee_user ON calendar_event_attendee (user_id, status);
