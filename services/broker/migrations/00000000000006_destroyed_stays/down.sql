drop trigger secrets_guard on secrets;
drop function secrets_guard();
