-- Every published load of every day, for training: of the rows of a day take the newest with created_at up to the moment asked about.
SELECT * FROM batch_user_features WHERE (day, version) IN (SELECT day, version FROM batch_feature_loads)
