-- Drops the tables of calendars, of their events and of those who attend.

DROP TABLE calendar_event_attendee;
DROP TABLE calendar_event;
DROP TABLE calendar;
