drop table new_instance_payments;
drop function new_instances_count();
