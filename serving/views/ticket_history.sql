-- Every state of every service ticket.
SELECT *
FROM (SELECT * FROM speed_tickets FINAL)
