-- Take out one day that lifecycle rules have removed from S3: its partition holds no rows any more.
ALTER TABLE `{{ database }}`.`{{ table }}` DROP IF EXISTS
  PARTITION (dt = {{ day | text }})
