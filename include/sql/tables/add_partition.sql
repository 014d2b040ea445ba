-- Register one loaded day: free, and as quick with a thousand days as with one.
ALTER TABLE `{{ database }}`.`{{ table }}` ADD IF NOT EXISTS
  PARTITION (dt = {{ day | text }}) LOCATION {{ location | text }}
