"""What alarms.yaml keeps: alarms on the metric that verify puts, and on what Athena reads."""

from __future__ import annotations

from typing import Any

import pytest
from cfn_templates import load, statements

from entra_lake.metrics import DAY_VERIFIED, NAMESPACE
from entra_lake.streams import STREAMS

ALARMS = {
    name: item["Properties"]
    for name, item in load("alarms.yaml")["Resources"].items()
    if item["Type"] == "AWS::CloudWatch::Alarm"
}


def dimensions(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return an alarm's dimensions by name."""
    return {item["Name"]: item["Value"] for item in alarm["Dimensions"]}


def test_silence_is_an_alarm() -> None:
    """Each alarm on days looks at the very metric that verify puts, and takes a missing one for bad news."""
    silent = [alarm for alarm in ALARMS.values() if alarm["Namespace"] == NAMESPACE]
    assert {dimensions(alarm)["Stream"] for alarm in silent} == {"sign_ins", "directory_audits"} <= set(STREAMS)
    for alarm in silent:
        assert alarm["MetricName"] == DAY_VERIFIED
        assert dimensions(alarm)["Lake"] == {"Ref": "Lake"}
        assert (alarm["TreatMissingData"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
            "breaching",
            "LessThanThreshold",
            1,
        )
        assert alarm["EvaluationPeriods"] == alarm["DatapointsToAlarm"] == {"Ref": "SilentHours"}
        assert alarm["Period"] == 3600
        assert dimensions(alarm)["Stream"] in alarm["AlarmDescription"]["Fn::Sub"]


def test_a_morning_without_a_run_is_noticed_the_same_day() -> None:
    """The default waits longer than the 24 hours between two runs, and not a second morning; CloudWatch allows it."""
    hours = load("alarms.yaml")["Parameters"]["SilentHours"]
    assert 24 < hours["MinValue"] <= hours["Default"] < 48
    assert hours["MaxValue"] * 3600 <= 7 * 86_400  # the longest that an alarm looks back


def test_scans_beyond_the_budget_are_an_alarm() -> None:
    """What all queries of the workgroup read in a day is compared with the budget."""
    alarm = ALARMS["ScanBudgetExceeded"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Athena", "ProcessedBytes", "Sum")
    assert dimensions(alarm) == {"WorkGroup": {"Ref": "Workgroup"}}
    assert (alarm["Period"], alarm["Threshold"]) == (86_400, {"Ref": "DailyScanBytes"})


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_reaches_the_topic(name: str) -> None:
    """No alarm rings unheard."""
    assert ALARMS[name]["AlarmActions"] == [{"Ref": "Topic"}]


def test_the_topic_is_encrypted_and_takes_only_alarms() -> None:
    """The topic lies under the lake's key, which CloudWatch may use; only alarms of this account publish, over TLS."""
    topic = load("alarms.yaml")["Resources"]["Topic"]["Properties"]
    assert topic["KmsMasterKeyId"] == {"Ref": "KeyArn"}
    allowed = [item for item in statements(load("alarms.yaml"), "") if item.is_allowing]
    assert [(item.body["Principal"], item.actions) for item in allowed] == [
        ({"Service": "cloudwatch.amazonaws.com"}, ["sns:Publish"])
    ]
    assert "aws:SourceAccount" in allowed[0].body["Condition"]["StringEquals"]
    key = next(item for item in statements(load("lake.yaml"), "") if item.sid == "Key/AlarmsReachTopic")
    assert set(key.actions) == {"kms:Decrypt", "kms:GenerateDataKey"}
