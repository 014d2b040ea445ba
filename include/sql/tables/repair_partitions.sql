-- Register every day that S3 holds: after a first creation, a recovery, or when days were added by hand.
MSCK REPAIR TABLE `{{ database }}`.`{{ table }}`
