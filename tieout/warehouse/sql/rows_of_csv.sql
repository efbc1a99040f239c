SELECT * FROM read_csv(
    {{path}}, columns = {{columns}}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
    encoding = 'utf-8', strict_mode = true, null_padding = false
)
