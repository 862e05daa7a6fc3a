DELETE FROM report_bucket WHERE metric IN ('waiting_business', 'first_response_business', 'response_business', 'handling_business', 'resolution_business');
