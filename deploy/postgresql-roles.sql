-- The roles of the system, made once for each database server, by a superuser:
--
--   psql --file=deploy/postgresql-roles.sql postgres
--   createdb --owner=etc_migrator etc
--
-- Then each role that logs in is given a password (\password etc_intake). What each may do is not
-- said here but in clearing-house/src/rights.rs, and brought about by `clearing-house migrate`.
-- None of them is a superuser, may make roles, or owns anything but etc_migrator.

-- Owns the schema; used by `clearing-house migrate` and `reconciliation migrate` alone.
create role etc_migrator login;
-- `clearing-house run`: takes passages of all operators. Row security would keep it from loading
-- by COPY, and would let it see every row anyway; its grants bind it.
create role etc_intake login bypassrls;
-- Accounts of customers, and the lists made of them.
create role etc_accounts login;
-- The network, its tariffs, and the keys of lanes.
create role etc_registrar login;
-- Closes days, nets, makes statements.
create role etc_reconciliation login;
-- A road operator's own view: sees rows of the operator that `etc.operator` names.
create role etc_operator login;
-- The road authority: counts and sums, nothing personal.
create role etc_authority login;
-- Proves the books: reads everything, writes nothing.
create role etc_auditor login;

-- A session that waits for nobody is ended; a statement that never ends is, too.
alter role etc_operator set statement_timeout = '30s';
alter role etc_authority set statement_timeout = '30s';
alter role etc_operator set default_transaction_read_only = on;
alter role etc_authority set default_transaction_read_only = on;
alter role etc_auditor set default_transaction_read_only = on;
