import Control
import Products
import Settings
import Testing

@testable import imgrec_agent

@Suite("The status for a person")
struct StatusTextTests {
    private func lines(_ change: (inout StatusReport) -> Void) -> [String] {
        var report = StatusReport(settings: Settings())
        change(&report)
        return StatusText.text(of: report).split(separator: "\n").map(String.init)
    }

    /// The words after a line's name; nil where there is no such line.
    private func line(_ name: String, _ lines: [String]) -> String? {
        lines.first { $0.prefix { $0 != " " } == name }.map { String($0.dropFirst(11)) }
    }

    private func running(_ change: (inout StatusReport.Running) -> Void = { _ in }) -> StatusReport.Running {
        var running = StatusReport.Running(
            watches: .init(used: 3, unwatched: [], unwatchedReason: nil, pollReason: nil, overflows: 0))
        (running.state, running.processID, running.startedAt) = ("idle", 12, "2026-01-01T00:00:00Z")
        change(&running)
        return running
    }

    @Test("without an agent it says that this is from the catalogue, and what to do where it was interrupted")
    func notRunning() {
        #expect(line("agent", lines { _ in })?.hasPrefix("not running;") == true)
        let interrupted = lines { $0.isInterrupted = true }
        #expect(line("due", interrupted)?.contains("imgrec-agent reconcile") == true)
        let silent = lines { $0.silence = "it hangs" }
        #expect(line("agent", silent)?.hasPrefix("does not answer;") == true)
        #expect(line("trouble", silent) == "it hangs")
        #expect(line("model", silent) == "none yet")
        #expect(line("folders", silent) == "the image folder is not there")
    }

    @Test("what is wrong has a line of its own, and what is not has none")
    func trouble() {
        let well = lines { $0.running = running() }
        for name in ["trouble", "settings", "brake", "change", "queue", "rate", "hook", "due"] {
            #expect(line(name, well) == nil, "\(name)")
        }
        let ill = lines { report in
            report.running = running {
                ($0.trouble, $0.settingsTrouble, $0.changeTrouble) = ("disk full", "line 3", "no such model")
                ($0.heldBack, $0.waiting, $0.settling, $0.photosPerSecond) = (7, 1, 2, 12.4)
            }
            report.isHeldBack = true
            report.change = .init(
                model: .init(name: "next", precision: "f32", dimension: 3), embedded: 1, photos: 2)
        }
        #expect(line("trouble", ill) == "disk full" && line("settings", ill) == "not changed: line 3")
        #expect(line("brake", ill)?.hasPrefix("7 products vanished") == true)
        #expect(line("queue", ill) == "1 photo waiting, 2 just changed" && line("rate", ill) == "12 photos/s")
        #expect(line("change", ill)?.contains("1 of 2 photos embedded") == true)
        #expect(ill.contains { $0.hasSuffix("waits: no such model") })
    }

    @Test("names and reasons take one line each, whatever is in them")
    func names() {
        let failed = [
            StatusReport.Failure(path: "a\nb\u{1B}[2J.jpg", reason: "no\rphoto", attempts: 1),
            StatusReport.Failure(path: "c.jpg", reason: "too large", attempts: 1),
        ]
        let lines = lines {
            ($0.failed, $0.running) = (failed, running { $0.trouble = "x\nmodel      forged" })
        }
        #expect(lines.suffix(2).last == "  c.jpg: too large")
        #expect(line("failed", lines) == "2 photos" && line("model", lines) == "none yet")
        for text in lines {
            #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control }, "\(text)")
        }
    }

    @Test("the hook's line says whether it is up to date, runs, or fails")
    func hook() {
        func hook(_ waiting: Int, isRunning: Bool = false, trouble: String? = nil, failures: Int = 0)
            -> String?
        {
            line(
                "hook",
                lines {
                    $0.hook = .init(
                        command: ["/bin/x", "-y"], waiting: waiting, isRunning: isRunning, lastRun: "T",
                        trouble: trouble, failures: failures)
                })
        }
        #expect(hook(0) == "/bin/x -y: up to date, last run T")
        #expect(hook(1, isRunning: true) == "/bin/x -y: 1 product waiting, running, last run T")
        #expect(
            hook(2, trouble: "exit 3", failures: 4) == "/bin/x -y: 2 products waiting, failed 4 times: exit 3"
        )
    }

    @Test("folders that are not watched, and lost reports, are said with the remedy")
    func folders() {
        func folders(_ watches: StatusReport.Watches) -> String {
            line(
                "folders",
                lines {
                    ($0.folders, $0.watchesAllowed) = (9, 8)
                    $0.running = StatusReport.Running(watches: watches)
                }) ?? ""
        }
        let all = folders(
            .init(used: 9, unwatched: [], unwatchedReason: nil, pollReason: nil, overflows: 0))
        #expect(all == "9 watched (inotify allows 8 to be watched)")
        let few = folders(
            .init(used: 8, unwatched: ["x"], unwatchedReason: nil, pollReason: "NFS", overflows: 2))
        #expect(few.contains("1 cannot be and are polled: sysctl fs.inotify.max_user_watches=524288"))
        #expect(few.contains("polled, for NFS") && few.hasSuffix("lost 2 times and the folder compared"))
    }
}
