SELECT coalesce(max(landing_no), 0) FROM ops.landings WHERE table_name = {{table}}
