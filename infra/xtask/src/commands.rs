//! The commands, and what each says of itself.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Demo,
    Panels,
    Up,
    Compose,
    Phone,
    Test,
    Check,
    Bench,
    Postgres,
    Doctor,
    Rename,
    NewService,
}

/// What a command is called, does in one line, and says of itself.
pub(crate) struct Page {
    pub(crate) command: Command,
    pub(crate) word: &'static str,
    pub(crate) line: &'static str,
    usage: &'static str,
    /// Whether what it runs may stand behind the edge.
    edge: bool,
    /// Whether it wants a PostgreSQL.
    postgres: bool,
}

/// What `bench` measures.
pub(crate) const MEASUREMENTS: [&str; 5] = ["ledger", "defense", "behavior", "decoys", "compose"];

pub(crate) const PAGES: [Page; 13] = [
    Page {
        command: Command::Demo,
        word: "demo",
        line: "the whole system and one story, from nothing, with a report",
        usage: "\
usage: cargo xtask demo [OPTIONS]

Builds and starts everything on free ports, tells the story with two emulated
phones, tries the attacks, writes target/dev/report.html and ends. Exits 0 if
nothing surprised and every trace was whole.

  --target compose [--offline]
                the same in containers of its own (see `compose --help`)
  --transcript FILE
                and what it has said stands in FILE, if it ends well
",
        edge: true,
        postgres: true,
    },
    Page {
        command: Command::Panels,
        word: "panels",
        line: "the dashboards, with what Prometheus shows of the story",
        usage: "\
usage: cargo xtask panels [OPTIONS]

Starts everything as `demo` does, and a Prometheus beside it (of this machine,
or out of Debian's packages), tells the story, and writes what it answers to
every query of infra/watching/dashboards to target/dev/panels.html. Exits 1 if
a query has no answer and infra/watching/schema.toml does not say why.
",
        edge: false,
        postgres: true,
    },
    Page {
        command: Command::Up,
        word: "up",
        line: "the same system kept running on fixed ports, until Ctrl-C",
        usage: "\
usage: cargo xtask up [OPTIONS]

Builds and starts everything on the ports of infra/system.toml, seeds two users
and prints their passwords and every URL. Ctrl-C stops and removes all of it.
",
        edge: true,
        postgres: true,
    },
    Page {
        command: Command::Compose,
        word: "compose",
        line: "the same system in containers, until `compose down`",
        usage: "\
usage: cargo xtask compose up [--offline] [--project NAME]
       cargo xtask compose down [--volumes] [--project NAME]
       cargo xtask compose probe [--project NAME]

Needs Docker with its Compose plugin. `up` builds the images, starts the
containers of infra/compose/compose.yaml and comes back when all are healthy;
two users are made the first time. The ports are in infra/compose/.env; the
environment goes before it. `probe` knocks at a door outside from inside each
container: of the services only broker gets there.

  --offline      images out of Debian's packages and this machine's build, where
                 no image can be pulled; needs root and debootstrap
  --project NAME another system beside the first (default redoubt); it needs
                 other ports
  --volumes      and what is stored goes, too
",
        edge: false,
        postgres: false,
    },
    Page {
        command: Command::Phone,
        word: "phone",
        line: "an emulated phone before the system that `up` or `compose up` runs",
        usage: "\
usage: cargo xtask phone WHO DOES WHAT [--code=CODE …]
       [--hooked | --repackaged | --rooted]

Every call is told: what was sent, what each layer of the ledger made of it, and
who else refused it. In one terminal `cargo xtask up` (or, before containers,
`cargo xtask compose up`), in another, WHO being alice or bob and every AMOUNT
in euros:

  phone alice accounts              phone alice pay bob 5.00
  phone alice statement             phone alice payout 20.00
  phone alice cancel PAYOUT         phone alice exchange 10.00 USD
Where a payment asks for approval, its payer gives it. Whoever has set up a
second factor types a --code for each time that one is asked for, of the app or
a recovery code; and to be an attacker:
  phone alice pay bob 5.00 --hooked    the app is in somebody else's hands
  phone alice accounts --repackaged    another app that says it is ours
  phone alice accounts --rooted        our app where the boot loader is open
An app sends no amount that is none, such as -5; one in other hands does.
",
        edge: false,
        postgres: false,
    },
    Page {
        command: Command::Test,
        word: "test",
        line: "every test, from nothing",
        usage: "\
usage: cargo xtask test [OPTIONS] [ARGS]

Runs `cargo test` on the whole workspace, or on what ARGS say, beside one
PostgreSQL. ARGS go to `cargo test`; what follows `--` goes on as it is, e.g.
cargo xtask test -p ledger --test it -- payouts

  --containers  PostgreSQL and Redis out of containers, a PostgreSQL for each
                test program; REDOUBT_REDIS_IMAGE names another image of Redis
                (default redis:7-alpine)
",
        edge: false,
        postgres: true,
    },
    Page {
        command: Command::Check,
        word: "check",
        line: "formatting, lints, architecture, generated files, secrets",
        usage: "\
usage: cargo xtask check [infra] [--fix] [--quick]

Proves what holds for the whole repository; each rule that does not hold is
named with its file and line.

  infra         only compose.yaml and Kubernetes beside infra/system.toml

  --fix         formats, and writes the generated files anew
  --quick       only what compiles nothing: no lints, no generated files
",
        edge: false,
        postgres: false,
    },
    Page {
        command: Command::Bench,
        word: "bench",
        line: "figures, each beside another one of the same run",
        usage: "\
usage: cargo xtask bench WHAT [OPTIONS]

  ledger        transfers per second beside pgbench on the same PostgreSQL
  defense       what each layer costs: reads with none, each alone and all, and
                defended transfers
                --edge   and what a web application firewall before them costs
  behavior      payments folded and judged a second, a million users in memory:
                the engine alone, then the service with its database
  decoys        what a phone can tell of genuine answers and decoys by time
  compose       the system in containers: size of its images, time until it is
                healthy, memory, time until a changed line serves
                --offline   of images made without pulling any
",
        edge: false,
        postgres: true,
    },
    Page {
        command: Command::Postgres,
        word: "postgres",
        line: "only a PostgreSQL, kept running until Ctrl-C",
        usage: "\
usage: cargo xtask postgres [OPTIONS]

Brings a server and names the file with its superuser's URL, which only you can
read. Ctrl-C stops and removes it.
",
        edge: false,
        postgres: true,
    },
    Page {
        command: Command::Doctor,
        word: "doctor",
        line: "what is on this machine, and what would be used",
        usage: "\
usage: cargo xtask doctor [OPTIONS]

Looks at everything that the other commands need. It starts nothing and changes
nothing. Exits 1 if something is missing without which nothing can be built, and
3 if there would be no PostgreSQL.
",
        edge: false,
        postgres: true,
    },
    Page {
        command: Command::Rename,
        word: "rename",
        line: "the whole tree under another name",
        usage: "\
usage: cargo xtask rename NAME [OPTIONS]

Gives the whole tree another name, in small letters and digits.

  --organization WORDS     as people read it (default: the name, with a capital)
  --package ID             of the app, for Android and Apple (default:
                           dev.NAME.app)
  --trust-domain DOMAIN    of SPIFFE ids (default: the name)
",
        edge: false,
        postgres: false,
    },
    Page {
        command: Command::NewService,
        word: "new-service",
        line: "one more service, which builds, holds and is watched",
        usage: "\
usage: cargo xtask new-service NAME [--dry-run]

Adds services/NAME, a small service with an internal listener, a table and a
test of each refusal, and names it wherever a service is named: workspace,
infra/system.toml, containers, Kubernetes, alerts, documents. NAME is 2 to 16
small letters and digits. Either all of it is written or nothing.

  --dry-run     only says what would be written
",
        edge: false,
        postgres: false,
    },
    Page {
        command: Command::Help,
        word: "help",
        line: "this text; `COMMAND --help` says more of a command",
        usage: "",
        edge: false,
        postgres: false,
    },
];

const EDGE: &str = "
  --edge        with a web application firewall before the services: nginx,
                ModSecurity and the OWASP Core Rule Set, of this machine or out
                of Debian's packages
";

const POSTGRES: &str = "
  --postgres auto|url|system|docker|embedded
                how PostgreSQL is brought (default auto: the server that is
                named, else the first of the others that works)

environment:
  REDOUBT_POSTGRES_URL    a superuser's URL: that server and no other is used,
                          by one command at a time
  REDOUBT_POSTGRES_IMAGE  the image for docker (default postgres:17-alpine)
";

const ENDS: &str = "
exit codes: 0 done, 1 failed, 2 wrong usage, 3 no PostgreSQL, 130 interrupted
";

impl Command {
    fn page(self) -> Option<&'static Page> {
        PAGES.iter().find(|page| page.command == self)
    }

    /// As a person types it.
    pub(crate) fn line(self) -> String {
        format!("cargo xtask {}", self.page().map_or("help", |page| page.word))
    }

    /// What it says of itself.
    pub(crate) fn help(self) -> String {
        match self.page() {
            Some(page) if self != Self::Help => {
                let (edge, postgres) = (if page.edge { EDGE } else { "" }, if page.postgres { POSTGRES } else { "" });
                [page.usage, edge, postgres, ENDS].concat()
            }
            _ => overview(),
        }
    }
}

fn overview() -> String {
    let commands: Vec<String> = PAGES.iter().map(|page| format!("  {:<11} {}\n", page.word, page.line)).collect();
    let commands = commands.concat();
    format!("usage: cargo xtask COMMAND [OPTIONS]\n\n{commands}{POSTGRES}{ENDS}")
}
