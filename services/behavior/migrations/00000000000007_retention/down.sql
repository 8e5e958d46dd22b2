drop function forget();
