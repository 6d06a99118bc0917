"""The same numbers from PostgreSQL: a private server with the small world in it.

Skipped where there is no PostgreSQL, unless WELLBRIDGE_TEST_PEERS=required, as tests/run has it.
"""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

from fixture import SCHEMA, World
from sources import postgres

SERVER = Path(__file__).resolve().parent.parent / "peers" / "postgres" / "server.py"


def can_be_had():
    try:
        import pg8000.dbapi  # noqa: F401
    except ImportError:
        return False
    return Path("/usr/lib/postgresql").is_dir()


@unittest.skipUnless(can_be_had() or os.environ.get("WELLBRIDGE_TEST_PEERS") == "required", "no PostgreSQL here")
class OnPostgres(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = subprocess.Popen([sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.url = json.loads(cls.server.stdout.readline())["url"]

    @classmethod
    def tearDownClass(cls):
        cls.server.stdin.close()
        cls.server.wait(30)
        cls.server.stdout.close()

    def asked(self, world):
        connection = postgres(self.url)
        cursor = connection.cursor()
        cursor.execute("drop schema public cascade")
        cursor.execute("create schema public")
        for statement in SCHEMA.strip().split(";\n"):
            cursor.execute(statement.rstrip(";"))
        for text, values in world.statements():
            cursor.execute(text, values)
        connection.close()
        return world.ask(self.url)

    def test_a_clean_run_is_clean(self):
        code, result = self.asked(World())
        self.assertEqual((code, result["findings"], result["in_ledger"]), (0, {}, 3))

    def test_a_fault_is_noticed(self):
        world = World()
        world.rows["alder"]["episode"]["offers"][1]["status"] = "in-progress"
        code, result = self.asked(world)
        self.assertEqual((code, result["illegal"]), (1, 1), result["findings"])


if __name__ == "__main__":
    unittest.main()
