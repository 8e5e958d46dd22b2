// A client of the ledger whose types are made from `openapi.json` and nothing else. It reads an account's statement, page by page; what is not in the
// contract does not compile.
import createClient from "openapi-fetch";
import type { components, paths } from "./ledger.js";

declare const process: { readonly argv: readonly string[] };
const [, , baseUrl, ownerCurrency] = process.argv;
if (baseUrl === undefined || ownerCurrency !== "EUR") throw new Error("usage: statement URL EUR");

type Account = components["schemas"]["Account"];
type Entry = components["schemas"]["Entry"];

const ledger = createClient<paths>({ baseUrl });

async function open(name: string): Promise<Account> {
  const header = { "Idempotency-Key": `open-${name}` };
  const { data, error } = await ledger.POST("/v1/accounts", { params: { header }, body: { currency: "EUR", name } });
  if (error !== undefined) throw new Error(error.code);
  return data;
}

async function statement(id: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let after: string | undefined; ; ) {
    const query = after === undefined ? { limit: 2 } : { limit: 2, after };
    const { data, error } = await ledger.GET("/v1/accounts/{id}/entries", { params: { path: { id }, query } });
    if (error !== undefined) throw new Error(error.code);
    entries.push(...data.entries);
    after = data.next;
    if (after === undefined) return entries;
  }
}

// What the contract does not have is no TypeScript.
export async function refused(): Promise<void> {
  // @ts-expect-error there is no such path
  await ledger.GET("/v1/account");
  // @ts-expect-error a money request needs a key
  await ledger.POST("/v1/accounts", { body: { currency: "EUR", name: "x" } });
  const header = { "Idempotency-Key": "x" };
  // @ts-expect-error there is no such currency
  await ledger.POST("/v1/accounts", { params: { header }, body: { currency: "XXX", name: "x" } });
  // @ts-expect-error an unknown member
  await ledger.POST("/v1/accounts", { params: { header }, body: { currency: "EUR", name: "x", owner: "y" } });
  const { error } = await ledger.GET("/v1/transfers/{id}", { params: { path: { id: "x" } } });
  // @ts-expect-error a code that this route does not answer
  if (error?.code === "ledger.same_account") throw new Error();
}

const first = (await ledger.GET("/v1/accounts")).data?.accounts[0];
const account = first ?? (await open("Everyday"));
console.log(JSON.stringify({ account, entries: await statement(account.id) }));
const { error } = await ledger.GET("/v1/accounts/{id}", { params: { path: { id: "no-id" } } });
console.log(JSON.stringify({ status: error?.status, code: error?.code }));
