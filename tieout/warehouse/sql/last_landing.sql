SELECT coalesce(max(landing_no), 0) FROM {{table}}
