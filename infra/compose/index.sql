-- Beside Airflow's own database: the index that all workers share (OPEDS_INDEX).
CREATE DATABASE opeds OWNER opeds;
