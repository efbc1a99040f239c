SELECT count(*) FROM {{table}} WHERE $since::BIGINT IS NULL OR landing_no > $since::BIGINT
