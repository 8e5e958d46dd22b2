//! What a role of a service may do in its database, and what the database says to everything else.
//!
//! Two views of the same: [`rights`] reads from the catalogue all that a role was granted, so that a test can hold the whole list and a right too many
//! is seen; [`attempt`] signs in as the role and tries, so that the list is not believed alone.

use anyhow::Result;
use crypto::SecretString;
use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use storage::StorageError;

use super::TestDatabase;

/// SQLSTATE `insufficient_privilege`: of a missing right, of a row that a policy refuses, and of not being the owner.
pub const FORBIDDEN: &str = "42501";

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Rights on columns, on whole tables, on functions and on schemas, of the role itself or of everybody. diesel's own table is left out: that
/// everybody may read it and nobody write it, [`refused_to_everybody`] tries.
const RIGHTS: &str = "
    select table_name || ' ' || lower(privilege_type) || ' (' || string_agg(column_name, ', ' order by ordinal_position) || ')' as line
    from information_schema.column_privileges join information_schema.columns using (table_schema, table_name, column_name)
    where grantee in ($1, 'PUBLIC') and table_schema = 'public' and table_name <> '__diesel_schema_migrations'
    group by table_name, privilege_type
    union all
    select table_name || ' ' || lower(privilege_type) from information_schema.table_privileges
    where grantee in ($1, 'PUBLIC') and table_schema = 'public' and privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
    union all
    select 'call ' || proname || '(' || pg_get_function_identity_arguments(oid) || ')' from pg_proc
    where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype and has_function_privilege($1, oid, 'execute')
    union all
    select 'create in ' || nspname from pg_namespace where has_schema_privilege($1, oid, 'create')
    union all
    select 'be ' || rolname from pg_roles where rolname not in ($1, 'pg_database_owner') and pg_has_role($1, oid, 'member')
    union all
    select 'own ' || relname from pg_class where pg_get_userbyid(relowner) = $1
    order by 1";

/// All that a role may do with the service's tables and functions, a line each: `table right (columns)`, `table delete`, `call function(arguments)`.
pub async fn rights(database: &TestDatabase, role: &str) -> Result<Vec<String>> {
    lines(database, RIGHTS, role).await
}

/// Tables whose rows are not hidden from their owner too, or that say nothing of what they hold.
pub async fn unguarded(database: &TestDatabase) -> Result<Vec<String>> {
    let query = "select relname::text as line from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') \
                 and relname <> $1 and (not relrowsecurity or not relforcerowsecurity or obj_description(oid, 'pg_class') is null) order by 1";
    lines(database, query, "__diesel_schema_migrations").await
}

/// What no role that serves may do in any service's database: `owner` owns it, `table` is one of its tables.
pub fn refused_to_everybody(owner: &str, table: &str) -> Vec<String> {
    [
        "truncate {table}",
        "drop table {table}",
        "alter table {table} disable trigger all",
        "alter table {table} disable row level security",
        "alter table {table} no force row level security",
        "alter table {table} add column mine int",
        "alter table {table} owner to current_user",
        "create policy mine on {table} using (true)",
        "create trigger mine before insert on {table} for each row execute function suppress_redundant_updates_trigger()",
        "create index on {table} ((1))",
        "create table mine (id int)",
        "create temp table mine (id int)",
        "create function mine() returns int return 1",
        "create schema mine",
        "create role mine",
        "set role {owner}",
        "set session authorization {owner}",
        "grant {owner} to current_user",
        "alter role current_user bypassrls",
        "set session_replication_role = replica",
        "update pg_catalog.pg_class set relforcerowsecurity = false",
        "delete from pg_catalog.pg_policy",
        "select * from pg_catalog.pg_authid",
        "copy (select 1) to program 'true'",
        "select pg_read_file('PG_VERSION')",
        "update __diesel_schema_migrations set version = version",
        "delete from __diesel_schema_migrations",
    ]
    .iter()
    .map(|statement| statement.replace("{table}", table).replace("{owner}", owner))
    .collect()
}

/// Runs statements as the role of this URL, in a transaction that is not kept; the SQLSTATE if they are refused.
pub async fn attempt(url: &str, statements: &str) -> Result<Option<String>> {
    let pool = storage::pool(&SecretString::from(url), 1)?;
    let mut db = storage::connection(&pool).await?;
    match db.batch_execute(&format!("begin; {statements}; rollback")).await.map_err(StorageError::from) {
        Ok(()) => Ok(None),
        // Default: an error that is not the database's.
        Err(error) => Ok(Some(error.sqlstate().unwrap_or("none").to_owned())),
    }
}

/// Those of the statements that are not refused with [`FORBIDDEN`], each with what came instead.
pub async fn not_forbidden(url: &str, statements: &[String]) -> Result<Vec<(String, Option<String>)>> {
    let mut through = Vec::new();
    for statement in statements {
        let outcome = attempt(url, statement).await?;
        if outcome.as_deref() != Some(FORBIDDEN) {
            through.push((statement.clone(), outcome));
        }
    }
    Ok(through)
}

/// Who sees how many rows: counts of `query` in a transaction that begins with `settings`, as the role of this URL.
pub async fn rows(url: &str, settings: &str, query: &str) -> Result<usize> {
    let pool = storage::pool(&SecretString::from(url), 1)?;
    let mut db = storage::connection(&pool).await?;
    db.batch_execute(&format!("begin; {settings}")).await?;
    let count = diesel::sql_query(query).execute(&mut db).await?;
    db.batch_execute("rollback").await?;
    Ok(count)
}

async fn lines(database: &TestDatabase, query: &str, argument: &str) -> Result<Vec<String>> {
    let pool = storage::pool(&SecretString::from(database.superuser_url.as_str()), 1)?;
    let mut db = storage::connection(&pool).await?;
    let lines: Vec<Line> = diesel::sql_query(query).bind::<Text, _>(argument).load(&mut db).await?;
    Ok(lines.into_iter().map(|line| line.line).collect())
}
