from pathlib import Path

from ganglion.adapters.machine_figures import MachineFigures


def write_times(file: Path, *, busy: int, idle: int) -> None:
    file.write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 999 999\ncpu0 1 2 3\n")


def test_the_processors_share_is_that_since_the_last_look(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    write_times(stat, busy=1000, idle=9000)
    machine = MachineFigures(tmp_path, stat=stat, zones=tmp_path)

    write_times(stat, busy=1025, idle=9075)

    assert machine.figures()["cpu_share"] == 0.25


def test_the_hottest_zone_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    for zone, text in enumerate(("41000\n", "67500\n", "broken")):
        (tmp_path / f"thermal_zone{zone}").mkdir()
        (tmp_path / f"thermal_zone{zone}" / "temp").write_text(text)

    assert MachineFigures(tmp_path, zones=tmp_path).figures()["temperature_c"] == 67.5


def test_memory_that_can_be_had_for_the_asking_is_not_in_use(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  1000 kB\nMemFree:  100 kB\nMemAvailable:  600 kB\n")
    broken = tmp_path / "broken"
    broken.write_text("MemTotal: many\n")

    assert MachineFigures(tmp_path, meminfo=meminfo).figures()["memory_used_bytes"] == 400 * 1024
    assert "memory_used_bytes" not in MachineFigures(tmp_path, meminfo=broken).figures()


def test_what_the_system_does_not_tell_is_left_out(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    machine = MachineFigures(tmp_path / "gone", stat=missing, zones=missing, meminfo=missing)

    assert machine.figures() == {}


def test_this_machine_tells_its_free_disk(tmp_path: Path) -> None:
    assert MachineFigures(tmp_path).figures()["disk_free_bytes"] > 0
