"""The checker notices each fault that is planted, and nothing where nothing is wrong.

    python3 -m unittest discover -s tests/checker
"""

import copy
import unittest

from fixture import OURS, START, World, id_of


def offer(name):
    return id_of(name).replace("-", "")


class Faults(unittest.TestCase):
    def setUp(self):
        self.world = World()

    def finds(self, name, count=1, also=()):
        """The checker says so, by this name, and by no other but those in `also`."""
        code, result = self.world.ask()
        found = {zero: result[zero] for zero in result["zero"] if result[zero]}
        self.assertEqual(code, 1)
        self.assertFalse(result["well"])
        self.assertEqual(found.pop(name, 0), count, result["findings"])
        self.assertEqual(set(found), set(also), result["findings"])
        return result

    def is_well(self):
        code, result = self.world.ask()
        self.assertEqual((code, result["findings"]), (0, {}))
        return result

    def say(self, name, said, risk=False, note=None):
        body = {"type": "partner", "offer": id_of(f"{name}-1"), "said": said, "note": note, "risk": risk}
        self.world.happens(name, body)

    # ---- nothing wrong ----

    def test_a_clean_run_is_clean(self):
        result = self.is_well()
        self.assertEqual((result["referrals"], result["taken_back"], result["in_ledger"]), (3, 1, 3))
        self.assertEqual(result["states"], {"closed": 1, "withdrawn": 1, "held": 1})
        self.assertEqual((result["sent_twice"], result["mails"]), (0, {"offer": 3, "cancellation": 1}))

    def test_a_request_taken_back_before_we_knew_it_is_nothing(self):
        self.world.record["ServiceRequest"].append({"resourceType": "ServiceRequest", "id": "dogwood", "status": "revoked"})
        self.is_well()

    def test_a_late_yes_a_risk_and_a_question_after_the_end_are_no_illegal_moves(self):
        self.say("alder", "accepted")
        self.say("alder", "started", risk=True, note=id_of("n"))
        self.say("alder", "asked", note=id_of("n"))
        self.is_well()

    def test_an_offer_taken_back_by_a_new_version_of_the_request_is_legal(self):
        held = {"sharing": "full", "contact_prohibited": False, "hold": "consent-declined"}
        name = id_of("cedar-1")
        self.world.events["cedar"].pop()
        self.world.offered("cedar", name, "armley")
        self.world.mailed("cedar", name, "offer")
        self.world.happens("cedar", {"type": "updated", "facts": held})
        placed = [{"need": "befriending", "place": {"hold": "consent-declined"}}]
        self.world.happens("cedar", {"type": "matched", "needs": placed, "safety": False})
        self.world.mailed("cedar", name, "cancellation")
        self.world.stands("cedar", "held", [("befriending", {"held": "consent-declined"})], [(name, {"cancelled": "superseded"})], [])
        self.is_well()

    def test_a_misreading_that_went_is_not_closed_with_the_rest_of_the_referral(self):
        end = {"close": "declined-social-prescribing"}
        by = {"coordinator": "jo"}
        self.world.happens("cedar", {"type": "decided", "need": "befriending", "decision": end, "by": by, "note": id_of("n")})
        self.world.stands("cedar", "closed", [("befriending", {"closed": "declined-social-prescribing"})], [], [])
        self.is_well()

    # ---- referrals ----

    def test_a_referral_that_was_never_taken_in_is_lost(self):
        self.world.record["ServiceRequest"].append({"resourceType": "ServiceRequest", "id": "dogwood", "status": "active"})
        self.finds("lost")

    def test_a_referral_that_vanished_from_the_ledger_is_lost(self):
        del self.world.rows["cedar"]
        self.finds("lost", also={"conservation"})

    def test_a_referral_that_nobody_has_looked_at_is_stuck(self):
        self.world.events["cedar"].pop()
        self.world.stands("cedar", "received", [("unread", "received")], [], [])
        self.finds("stuck")

    def test_a_referral_taken_back_and_still_open_here(self):
        self.world.record["ServiceRequest"][2]["status"] = "revoked"
        self.finds("not_withdrawn")

    def test_one_request_as_two_referrals(self):
        self.world.rows["twin"] = {**copy.deepcopy(self.world.rows["cedar"]), "request": "cedar"}
        self.world.events["twin"] = copy.deepcopy(self.world.events["cedar"])
        self.finds("conservation")

    # ---- moves ----

    def test_an_offer_that_moves_after_its_end(self):
        self.say("birch", "accepted")
        # The move, and a standing that does not show it.
        self.finds("illegal", 2)

    def test_support_that_starts_before_the_partner_accepted(self):
        events = self.world.events["alder"]
        self.world.events["alder"] = [e for e in events if e["body"].get("said") not in ("accepted", "booked")]
        self.finds("illegal")

    def test_a_standing_that_its_events_do_not_give(self):
        self.world.rows["alder"]["episode"]["offers"][1]["status"] = "in-progress"
        self.finds("illegal")

    def test_a_need_that_vanished_from_the_standing(self):
        self.world.rows["cedar"]["episode"]["needs"] = [{"code": "walking", "state": {"held": "safety"}}]
        self.finds("illegal", 2)

    def test_a_need_that_moves_after_its_end(self):
        self.world.happens("alder", {"type": "decided", "need": "befriending", "decision": "keep-back",
                                     "by": {"coordinator": "jo"}, "note": None})
        self.world.rows["alder"]["state"] = "held"
        self.world.rows["alder"]["episode"]["needs"][0]["state"] = {"held": "coordinator"}
        self.finds("illegal", also={"tasks_untrue"})

    def test_a_filing_that_is_filed_twice(self):
        self.world.happens("alder", {"type": "filed", "filing": id_of("alder-started")})
        self.finds("illegal")

    def test_support_that_started_and_was_never_queued_for_the_record(self):
        del self.world.rows["alder"]["episode"]["filings"][0]
        self.world.events["alder"] = [e for e in self.world.events["alder"] if e["body"].get("filing") != id_of("alder-started")]
        self.finds("illegal")

    def test_a_machines_offer_after_a_safety_matter(self):
        placed = [{"need": "befriending", "place": {"propose": "armley"}}]
        self.world.events["cedar"][-1]["body"] = {"type": "matched", "needs": placed, "safety": True}
        self.world.happens("cedar", {"type": "offered", "need": "befriending", "offer": id_of("cedar-1"), "service": "armley",
                                     "partner": "armley", "by": "machine", "note": None})
        self.world.mailed("cedar", id_of("cedar-1"), "offer")
        self.world.stands("cedar", "offered", [("befriending", {"offered": id_of("cedar-1")})], [(id_of("cedar-1"), "requested")], [])
        self.finds("illegal")

    def test_an_event_that_is_missing(self):
        self.world.events["birch"][-1]["seq"] = 99
        self.finds("illegal")

    def test_a_second_open_offer_for_one_need(self):
        second = id_of("cedar-2")
        self.world.events["cedar"].pop()
        self.world.offered("cedar", id_of("cedar-1"), "armley")
        self.world.mailed("cedar", id_of("cedar-1"), "offer")
        self.world.happens("cedar", {"type": "offered", "need": "befriending", "offer": second, "service": "beeston",
                                     "partner": "beeston", "by": "machine", "note": None})
        self.world.mailed("cedar", second, "offer")
        self.world.stands("cedar", "offered", [("befriending", {"offered": second})],
                          [(id_of("cedar-1"), "requested"), (second, "requested")], [])
        # In the log and in the standing; the need moved as none may.
        self.finds("two_open_offers", 2, also={"illegal"})

    # ---- counting ----

    def test_states_that_do_not_sum_to_what_was_received(self):
        self.world.events["elm"] = copy.deepcopy(self.world.events["cedar"])
        self.finds("conservation", 2)

    def test_a_row_counted_in_another_state_than_its_needs_say(self):
        self.world.rows["cedar"]["state"] = "offered"
        self.finds("conservation")

    # ---- the record ----

    def test_something_written_twice_under_one_identifier(self):
        again = {**self.world.record["DocumentReference"][0], "id": "again", "content": []}
        self.world.record["DocumentReference"].append(again)
        self.finds("duplicated_in_record")

    def test_something_written_twice_under_two_identifiers(self):
        other = {"identifier": [{"system": OURS + "filing", "value": f"{id_of('other')}.message"}], "id": "again"}
        again = {**self.world.record["DocumentReference"][0], **other, "date": "2026-12-24T10:00:00Z"}
        self.world.record["DocumentReference"].append(again)
        self.finds("duplicated_in_record")

    def test_two_tasks_for_one_request(self):
        self.world.record["Task"].append({**self.world.record["Task"][0], "id": "again", "identifier": []})
        self.finds("duplicated_in_record")

    def test_a_filing_that_is_said_to_be_filed_and_is_not_there(self):
        self.world.record["DocumentReference"].pop()
        self.finds("filings_missing")

    def test_with_codes_only_a_filing_without_a_code_is_not_missed_but_the_first_start_is(self):
        closed = self.world.record["DocumentReference"].pop()
        self.world.rows["alder"]["episode"]["facts"]["sharing"] = "codes-only"
        self.is_well()
        self.world.record["DocumentReference"] = [closed]
        self.finds("filings_missing")

    def test_a_filing_that_still_waits(self):
        self.world.rows["alder"]["episode"]["filings"][1]["status"] = "queued"
        self.world.events["alder"].pop()
        self.finds("filings_missing")

    def test_a_task_that_does_not_say_where_the_referral_stands(self):
        self.world.record["Task"][0]["status"] = "in-progress"
        self.finds("tasks_untrue")

    def test_a_task_that_the_practice_cancelled_after_the_end_is_theirs_and_one_that_we_cancelled_is_not(self):
        task = self.world.record["Task"][0]
        task["status"] = "cancelled"
        self.is_well()
        task["identifier"].append({"system": OURS + "episode", "value": "alder.ended-cancelled"})
        self.finds("tasks_untrue")

    # ---- mails ----

    def copy_of_the_first_offer(self, after):
        first = self.world.mails[0]
        self.world.mails.append({**first, "at": first["at"] + after})

    def test_a_second_mail_for_one_offer_and_kind(self):
        first = self.world.mails[0]
        self.world.mails.append({**first, "id": first["id"].replace(".offer.1", ".offer.2")})
        self.finds("second_mails")

    def test_a_copy_that_nothing_explains(self):
        self.copy_of_the_first_offer(30_000)
        result = self.finds("sent_twice_unexplained")
        self.assertEqual(result["sent_twice"], 1)

    def test_a_copy_that_the_ledger_explains(self):
        self.copy_of_the_first_offer(30_000)
        self.world.happens("alder", {"type": "mailed", "offer": id_of("alder-1"), "mail": "offer", "outcome_unknown": True})
        self.assertEqual(self.is_well()["sent_twice"], 1)

    def test_a_copy_that_a_kill_explains(self):
        self.copy_of_the_first_offer(30_000)
        at = self.world.mails[0]["at"] + 200
        self.world.disturbances = [{"at": at, "until": at, "what": "kill"}]
        self.assertEqual(self.is_well()["sent_twice"], 1)

    def test_a_kill_long_before_a_copy_explains_nothing(self):
        self.copy_of_the_first_offer(30_000)
        self.world.disturbances = [{"at": START - 60_000, "until": START - 60_000, "what": "kill"}]
        self.finds("sent_twice_unexplained")

    def test_a_mail_that_is_said_to_have_left_and_never_came(self):
        self.world.mails.pop(0)
        self.finds("mails_lost")

    def test_a_mail_after_the_withdrawal(self):
        withdrawn = self.world.events["birch"][-2]["recorded"]
        self.world.mails.append({"id": f"{offer('birch-1')}.reminder.1", "at": withdrawn + 60_000, "to": "a@b.example", "text": "Well?"})
        self.finds("mailed_after_withdrawal")

    def test_a_mail_on_its_way_when_the_withdrawal_came(self):
        withdrawn = self.world.events["birch"][-2]["recorded"]
        self.world.mails.append({"id": f"{offer('birch-1')}.reminder.1", "at": withdrawn + 1_000, "to": "a@b.example", "text": "Well?"})
        self.is_well()

    def test_a_partner_who_was_not_told_of_the_withdrawal(self):
        self.world.mails.pop()
        self.world.events["birch"].pop()
        del self.world.mail_rows[f"{offer('birch-1')}.cancellation.1"]
        self.finds("partner_not_told")

    # ---- identity ----

    def test_a_name_in_the_log(self):
        self.world.log += '{"message":"sent","to":"Mrs ALDER"}\n'
        self.finds("identity_in_logs")

    def test_an_nhs_number_a_street_and_the_gps_words_in_the_log(self):
        self.world.log += "GET /Patient?identifier=9991000026\nlives at 45 specimen street\nwidowed, lives alone and is very lonely\n"
        self.finds("identity_in_logs", 3)

    def test_a_name_in_a_subject(self):
        self.world.mails[0]["subject"] = "A referral for Alder"
        self.finds("identity_in_mails")

    def test_the_gps_words_in_a_mail(self):
        self.world.mails[0]["text"] = "She is widowed, lives alone and is very lonely. Can you help?"
        self.finds("identity_in_mails")


if __name__ == "__main__":
    unittest.main()
