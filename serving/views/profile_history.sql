-- Every state of every user's profile.
SELECT *
FROM (SELECT * FROM speed_profiles FINAL)
