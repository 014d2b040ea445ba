-- Make the database, where CloudFormation has not made it.
CREATE DATABASE IF NOT EXISTS `{{ database }}`
