# Ordinary SQLite programs on the whole path.
ccr_trials(sqlite-shapes=30 sqlite-load=28 sqlite-changes=18 sqlite-manners=16 sqlite-handover=14 sqlite-backups=12 sqlite-refusals=9)
