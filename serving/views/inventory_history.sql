-- Every change of stock, by the UTC day from which it is true.
SELECT *
FROM (SELECT * FROM speed_inventory FINAL)
