# manual pages and notes
