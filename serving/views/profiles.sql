-- Each user as the last profile says; join it to users by tenant_id and user_id.
SELECT *
FROM (SELECT * FROM speed_profiles FINAL)
ORDER BY updated_at DESC, log_epoch DESC, log_offset DESC
LIMIT 1 BY tenant_id, user_id
