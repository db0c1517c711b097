import Foundation
import TestSupport
import Testing

/// Debian's Chromium without a window, driven over its DevTools protocol through a pair of pipes
/// (https://chromedevtools.github.io/devtools-protocol/). For one thread.
final class Browser {
    struct Failure: Error, CustomStringConvertible {
        let description: String
        /// Whether the page that was asked made way for another meanwhile.
        var isOfLeavingPage: Bool {
            ["navigated or closed", "context was destroyed", "Cannot find context"].contains {
                description.contains($0)
            }
        }
    }

    private let profile: TemporaryFolder
    private let process = Process()
    private let commands = Pipe()
    private let answers = Pipe()
    private var buffer = Data()
    private var lastCommand = 0
    /// What pages have reported, by session.
    fileprivate var events: [String: [(method: String, parameters: [String: Any])]] = [:]

    /// - Parameter hasScrollbars: whether scrollbars take room, as on many desks.
    init(hasScrollbars: Bool = false) throws {
        profile = try TemporaryFolder()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // The browser reads commands from descriptor 3 and answers on 4.
        process.arguments = [
            "-c",
            "exec chromium --headless --no-sandbox --disable-gpu --no-first-run \(hasScrollbars ? "" : "--hide-scrollbars") "
                + "--force-color-profile=srgb --disable-dev-shm-usage --user-data-dir='\(profile.path)' "
                + "--remote-debugging-pipe 3<&0 4>&1 >/dev/null 2>&1",
        ]
        process.standardInput = commands
        process.standardOutput = answers
        process.standardError = FileHandle.nullDevice
        try process.run()
        // An end of a pipe that is open here too would never be seen to close.
        try? commands.fileHandleForReading.close()
        try? answers.fileHandleForWriting.close()
    }

    deinit {
        try? commands.fileHandleForWriting.close()
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Sends a command and waits for its answer.
    @discardableResult
    func send(_ method: String, _ parameters: [String: Any] = [:], session: String? = nil) throws
        -> [String: Any]
    {
        lastCommand += 1
        let number = lastCommand
        var command: [String: Any] = ["id": number, "method": method, "params": parameters]
        command["sessionId"] = session
        try commands.fileHandleForWriting.write(
            contentsOf: try JSONSerialization.data(withJSONObject: command) + [0])
        while true {
            guard let message = try receive(within: patience / .seconds(1)) else {
                throw Failure(description: "the browser did not answer \(method)")
            }
            guard message["id"] as? Int == number else { continue }
            if let error = message["error"] as? [String: Any] {
                throw Failure(description: "\(method): \(error["message"] ?? "")")
            }
            return message["result"] as? [String: Any] ?? [:]
        }
    }

    /// Takes in what has been reported meanwhile.
    func listen(seconds: Double) throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end { _ = try receive(within: 0.05) }
    }

    /// The next message; nil where none comes. Events are noted.
    private func receive(within seconds: Double) throws -> [String: Any]? {
        let descriptor = answers.fileHandleForReading.fileDescriptor
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if let zero = buffer.firstIndex(of: 0) {
                let data = Data(buffer[buffer.startIndex..<zero])
                buffer = Data(buffer[(zero + 1)...])
                let message = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
                if let method = message["method"] as? String {
                    events[message["sessionId"] as? String ?? "", default: []].append(
                        (method, message["params"] as? [String: Any] ?? [:]))
                }
                return message
            }
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&poll, 1, 50) >= 0, ContinuousClock.now < end else { return nil }
            guard poll.revents != 0 else { continue }
            let data = answers.fileHandleForReading.availableData
            guard !data.isEmpty else { throw Failure(description: "the browser has ended") }
            buffer += data
        }
    }
}

/// A page in a browser.
final class Page {
    enum Device: String, CaseIterable {
        case desktop, phone

        fileprivate var metrics: [String: Any] {
            switch self {
            case .desktop: ["width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": false]
            case .phone: ["width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true]
            }
        }
    }

    let browser: Browser
    private let session: String
    private static let screenshots = "\(Repository.root)/.build/screenshots"

    init(_ browser: Browser, on device: Device = .desktop) throws {
        self.browser = browser
        let target = try browser.send("Target.createTarget", ["url": "about:blank"])["targetId"] as? String
        let attached = try browser.send(
            "Target.attachToTarget", ["targetId": target ?? "", "flatten": true])
        session = attached["sessionId"] as? String ?? ""
        for domain in ["Page", "Runtime", "Network", "Log"] { try send("\(domain).enable") }
        try send("Network.setCacheDisabled", ["cacheDisabled": true])
        try send("Emulation.setDeviceMetricsOverride", device.metrics)
        try send(
            "Page.addScriptToEvaluateOnNewDocument",
            [
                "source": """
                window.layoutShift = 0;
                new PerformanceObserver(list => {
                  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.layoutShift += entry.value;
                }).observe({ type: "layout-shift", buffered: true });
                """
            ])
    }

    @discardableResult
    func send(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
        try browser.send(method, parameters, session: session)
    }

    private func count(_ method: String) -> Int { events(method).count }

    private func events(_ method: String) -> [[String: Any]] {
        (browser.events[session] ?? []).filter { $0.method == method }.map(\.parameters)
    }

    /// Opens an address and waits until it is loaded.
    func open(_ address: String) throws {
        let loaded = count("Page.loadEventFired")
        let answer = try send("Page.navigate", ["url": address])
        if let error = answer["errorText"] as? String {
            throw Browser.Failure(description: "\(address): \(error)")
        }
        // A change of what follows # loads nothing.
        guard answer["loaderId"] != nil else { return }
        let end = ContinuousClock.now + patience
        while count("Page.loadEventFired") == loaded {
            guard ContinuousClock.now < end else {
                throw Browser.Failure(description: "\(address) did not load")
            }
            try browser.listen(seconds: 0.05)
        }
    }

    /// The value of an expression; a promise's when it is fulfilled.
    func evaluate<Value>(_ expression: String, as type: Value.Type = Value.self) throws -> Value {
        let answer = try send(
            "Runtime.evaluate",
            ["expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true])
        if let details = answer["exceptionDetails"] as? [String: Any] {
            let exception = details["exception"] as? [String: Any]
            throw Browser.Failure(
                description: "\(expression): \(exception?["description"] ?? details["text"] ?? "")")
        }
        let result = answer["result"] as? [String: Any] ?? [:]
        guard let value = (result["value"] ?? NSNull()) as? Value else {
            throw Browser.Failure(description: "\(expression) is \(result), not \(type)")
        }
        return value
    }

    /// Runs a script for what it does.
    func run(_ script: String) throws { _ = try evaluate("(async () => { \(script) })()", as: NSNull.self) }

    /// Waits until an expression is true, on this page or on the one that it leads to.
    func wait(until expression: String) throws {
        func isTrue() throws -> Bool {
            do { return try evaluate("!!(\(expression))") } catch let failure as Browser.Failure
                where failure.isOfLeavingPage
            { return false }
        }
        let end = ContinuousClock.now + patience
        while try !isTrue() {
            guard ContinuousClock.now < end else {
                throw Browser.Failure(description: "it did not become true: \(expression)")
            }
            try browser.listen(seconds: 0.05)
        }
    }

    /// Presses and releases a key, as a person does.
    func press(_ key: String, code: Int = 0) throws {
        for type in ["rawKeyDown", "keyUp"] {
            try send(
                "Input.dispatchKeyEvent",
                ["type": type, "key": key, "code": key, "windowsVirtualKeyCode": code])
        }
    }

    /// Clicks the middle of what an expression gives: an element.
    func click(_ element: String) throws {
        let place: [Double] = try evaluate(
            "(() => { const e = \(element); e.scrollIntoView({ block: 'center' }); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for type in ["mousePressed", "mouseReleased"] {
            try send(
                "Input.dispatchMouseEvent",
                ["type": type, "x": place[0], "y": place[1], "button": "left", "clickCount": 1])
        }
    }

    /// How slow the network is.
    func slow(latencyMilliseconds: Int, bytesPerSecond: Int) throws {
        try send(
            "Network.emulateNetworkConditions",
            [
                "offline": false, "latency": latencyMilliseconds, "downloadThroughput": bytesPerSecond,
                "uploadThroughput": bytesPerSecond,
            ])
    }

    /// Writes what the window shows, or the whole page, for people to look at.
    func screenshot(_ name: String, isWhole: Bool = false) throws {
        var options: [String: Any] = ["format": "png", "captureBeyondViewport": isWhole]
        if isWhole {
            let size: [Double] = try evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            options["clip"] = ["x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1]
        }
        let answer = try send("Page.captureScreenshot", options)
        guard let data = (answer["data"] as? String).flatMap({ Data(base64Encoded: $0) }) else {
            throw Browser.Failure(description: "there is no picture of \(name)")
        }
        try FileManager.default.createDirectory(
            atPath: Self.screenshots, withIntermediateDirectories: true)
        try data.write(to: URL(fileURLWithPath: "\(Self.screenshots)/\(name).png"))
    }

    // MARK: What the page did

    /// What went wrong in its scripts, and what it could not load.
    var errors: [String] {
        events("Runtime.exceptionThrown").map {
            let details = $0["exceptionDetails"] as? [String: Any]
            return "\((details?["exception"] as? [String: Any])?["description"] ?? details?["text"] ?? "")"
        }
            + events("Log.entryAdded").compactMap { $0["entry"] as? [String: Any] }.filter {
                $0["level"] as? String == "error"
            }.map { "\($0["text"] ?? "") \($0["url"] ?? "")" }
    }

    /// The addresses that it asked for.
    var requests: [String] {
        events("Network.requestWillBeSent").compactMap {
            ($0["request"] as? [String: Any])?["url"] as? String
        }
    }

    /// What it took to show the page, as Lighthouse counts it.
    func cost() throws -> Cost {
        let shift: Double = try evaluate("window.layoutShift")
        return Cost(
            requests: requests.filter { $0.hasPrefix("http") || $0.hasPrefix("file") }.count,
            bytes: events("Network.loadingFinished").reduce(0) {
                $0 + Int($1["encodedDataLength"] as? Double ?? 0)
            },
            layoutShift: shift)
    }

    struct Cost: CustomStringConvertible {
        let requests: Int
        let bytes: Int
        /// Cumulative layout shift; up to 0.1 is good (https://web.dev/articles/cls).
        let layoutShift: Double

        var description: String {
            "\(requests) requests, \(bytes) bytes, layout shift \(String(format: "%.4f", layoutShift))"
        }
    }

    /// Records what axe-core finds wrong for people who see or use the page in other ways: the rule and the element.
    func expectAccessible(sourceLocation: SourceLocation = #_sourceLocation) throws {
        for violation in try accessibilityViolations() {
            Issue.record("\(violation)", sourceLocation: sourceLocation)
        }
    }

    private func accessibilityViolations() throws -> [String] {
        let script = try Self.axe()
        _ = try send("Runtime.evaluate", ["expression": script])
        let found: [[String: Any]] = try evaluate(
            "axe.run(document, { resultTypes: ['violations'] }).then(r => r.violations.map(v => ({ id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary) })))"
        )
        return found.map { "\($0["id"] ?? ""): \($0["help"] ?? ""): \($0["nodes"] ?? "")" }
    }

    private static func axe() throws -> String {
        let environment = "\(Repository.root)/.deps/test-environment/lib"
        let python = try FileManager.default.contentsOfDirectory(atPath: environment).first {
            $0.hasPrefix("python")
        }
        return try String(
            contentsOfFile:
                "\(environment)/\(python ?? "")/site-packages/axe_playwright_python/axe.min.js",
            encoding: .utf8)
    }
}

/// A folder served as people serve one: `python3 -m http.server`.
final class StaticServer {
    private let process = Process()
    let address: String

    init(_ folder: String) throws {
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder, "0"]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = line.firstMatch(of: /port (\d+)/)?.1 else {
            throw Browser.Failure(description: "there is no server: \(line)")
        }
        address = "http://127.0.0.1:\(port)"
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
