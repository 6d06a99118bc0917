"""Fills a ledger with referrals that it could have had: copies of real ones, with ids of their own, by SQL in the database.

A few referrals are driven down the road first. Each copy is all rows of one of them, in every table that holds rows of a
referral, with the first eight digits of each of its ids replaced (ids are UUID v7: those digits are the time, the same in
all ids of one minute; what is derived from an id, such as a filing's, stays derived), each with one of as many practices as
England has. `wellbridge ledger verify` replays them like any other. The service must not run meanwhile. Jobs are not
copied, and a copy's raw FHIR lies under another hash than its own, which nothing looks at.
"""

import re
import sqlite3

PRACTICES = 6_300
BATCH = 10_000
ID = re.compile(r"\b([0-9a-f]{8})-?[0-9a-f]{4}-?7[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}")
MINUTES = 20  # Ids this far from the referral's own are no coincidence in a hash.


class Dialect:
    """What the two databases say differently."""

    def __init__(self, store):
        self.store, self.sqlite = store, store.name == "sqlite"
        if self.sqlite:
            self.connection = sqlite3.connect(store.file)
            for setting in ("synchronous = off", "cache_size = -400000", "temp_store = memory", "foreign_keys = off"):
                self.connection.execute(f"pragma {setting}")
        else:
            store.query("select 1")
            self.connection = store.connection
            self.connection.autocommit = False

    def run(self, text):
        cursor = self.connection.cursor()
        cursor.execute(text)
        return cursor

    def columns(self):
        """table → [(column, is it text)], of the service's own tables."""
        if self.sqlite:
            text = "select m.name, p.name, lower(p.type) from sqlite_master m, pragma_table_info(m.name) p where m.type = 'table'"
        else:
            text = "select table_name, column_name, data_type from information_schema.columns where table_schema = current_schema()"
        found = {}
        for table, column, kind in self.run(text).fetchall():
            if not table.startswith(("river_", "sqlite_", "_")):
                found.setdefault(table, []).append((column, kind == "text"))
        return found

    def numbers(self, first, last):
        if self.sqlite:
            return f"(with recursive n(i) as (select {first} union all select i + 1 from n where i < {last - 1}) select i from n)"
        return f"(select i from generate_series({first}, {last - 1}) i)"

    def hex8(self, number):
        return f"printf('%08x', {number})" if self.sqlite else f"lpad(to_hex({number}), 8, '0')"

    def rest(self, number, of):
        return f"({number} % {of})" if self.sqlite else f"mod({number}, {of})"

    def practice(self, number):
        return f"'practice-' || (10000 + {self.rest(number, PRACTICES)})"

    def bytes(self):
        if self.sqlite:
            self.connection.commit()
            self.run("pragma wal_checkpoint(truncate)").fetchall()
            return self.store.file.stat().st_size
        return self.run("select pg_database_size(current_database())").fetchone()[0]

    def close(self):
        self.connection.commit()
        if self.sqlite:
            self.bytes()
            self.connection.close()
        else:
            self.run("discard temporary")
            self.run("analyze")
            self.connection.commit()
            self.connection.autocommit = True


class Loader:
    """Makes copies of these referrals; `made` have been made before."""

    def __init__(self, store, examples, made=0):
        self.dialect = Dialect(store)
        self.made = made
        columns = self.dialect.columns()
        self.tables = {table: columns[table] for table in columns if "referral_id" in [name for name, _ in columns[table]]}
        self.tables["referral"] = columns["referral"]
        self.tables["raw_body"] = columns["raw_body"]
        self.templates(examples)

    def templates(self, examples):
        """Temporary tables with the rows to be copied, each with the number of its referral."""
        run = self.dialect.run
        ids = ", ".join(f"'{example}'" for example in examples)
        run(f"""create temporary table template as select row_number() over (order by state, id) - 1 as k, id, practice_id, state
            from referral where id in ({ids})""")
        for table in self.tables:
            key = "t.id" if table == "referral" else "t.referral_id"
            source = table
            if table == "raw_body":
                source, key = "(select distinct i.referral_id, b.* from raw_input i join raw_body b on b.hash = i.hash)", "t.referral_id"
            run(f"create temporary table copied_{table} as select m.k, t.* from {source} t join template m on m.id = {key}")
            run(f"create index copied_{table}_k on copied_{table} (k)")
        self.states = {state: [] for (state,) in run("select distinct state from template").fetchall()}
        for k, state in run("select k, state from template order by k").fetchall():
            self.states[state].append(k)
        self.practices = [practice for (practice,) in run("select distinct practice_id from template").fetchall()]
        self.prefixes = self.times_in_ids()

    def times_in_ids(self):
        """The first digits of the ids that are in the rows."""
        own = [int(row[0][:8], 16) for row in self.dialect.run("select id from template").fetchall()]
        near = lambda prefix: any(abs(int(prefix, 16) - time) * 65.536 < MINUTES * 60 for time in own)
        found = set()
        for table, columns in self.tables.items():
            texts = [name for name, is_text in columns if is_text]
            for row in self.dialect.run(f"select {', '.join(texts)} from copied_{table}").fetchall():
                for text in row:
                    found.update(prefix for prefix in ID.findall(text or "") if near(prefix))
        return sorted(found)

    def load(self, shares, until):
        """Copies until so many have been made in all; of each state its share (a state that no template has: none)."""
        shares = {state: share for state, share in shares.items() if self.states.get(state)}
        while self.made < until:
            last = min(self.made + BATCH, until)
            first, total = self.made, sum(shares.values())
            for state, share in shares.items():
                # The numbers of a batch fall to the states one after the other.
                end = last if state == list(shares)[-1] else min(last, first + round((last - self.made) * share / total))
                if end > first:
                    self.batch(self.states[state], first, end)
                first = end
            self.made = last
        self.dialect.connection.commit()

    def batch(self, ks, first, last):
        pick = " ".join(f"when {at} then {k}" for at, k in enumerate(ks))
        numbers = self.dialect.numbers(first, last)
        for table, columns in self.tables.items():
            names = [name for name, _ in columns]
            values = [self.value(table, name, is_text) for name, is_text in columns]
            self.dialect.run(f"""insert into {table} ({', '.join(f'"{n}"' for n in names)}) select {', '.join(values)}
                from {numbers} n join copied_{table} t on t.k = case {self.dialect.rest("n.i", len(ks))} {pick} end
                where true order by n.i on conflict do nothing""")

    def value(self, table, name, is_text):
        column = f't."{name}"'
        if not is_text:
            return column
        if name == "hash":
            return f"{self.dialect.hex8('n.i')} || substr({column}, 9)"
        for number, prefix in enumerate(self.prefixes):
            column = f"replace({column}, '{prefix}', {self.dialect.hex8(f'(n.i * {len(self.prefixes)} + {number})')})"
        for practice in self.practices:
            column = f"replace({column}, '{practice}', {self.dialect.practice('n.i')})"
        return column
