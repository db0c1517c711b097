import Foundation
import TestSupport

/// A running agent over a shop's photos.
final class RunningAgent: @unchecked Sendable {  // the log is changed by one handler, under its lock
    let shop: Shop
    let process: Process
    private let lock = NSLock()
    private var text = ""
    private var isTextWhole = false

    /// Starts the agent and waits until it is ready.
    init(_ shop: Shop, under wrapper: [String] = []) throws {
        self.shop = shop
        process = Process()
        let errors = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = wrapper + [Shop.binary, "run", "--config", shop.settings]
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        errors.fileHandleForReading.readabilityHandler = { [weak self] handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                self?.lock.withLock { self?.isTextWhole = true }
            } else if let self {
                self.lock.withLock { self.text += String(decoding: data, as: UTF8.self) }
            }
        }
        try process.run()
        guard eventually({ self.log.contains("ready") || !self.process.isRunning }),
            process.isRunning
        else { throw Shop.Failure(message: "the agent did not become ready: \(wholeLog)") }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    var log: String { lock.withLock { text } }

    /// What an agent that has ended has said to its last word.
    private var wholeLog: String {
        if !process.isRunning { _ = eventually { lock.withLock { isTextWhole } } }
        return log
    }

    func signal(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Ends it and waits. Returns its exit code.
    @discardableResult
    func stop() -> Int32 {
        signal(SIGTERM)
        process.waitUntilExit()
        _ = wholeLog
        return process.terminationStatus
    }

    /// Waits until all that was changed is published.
    @discardableResult
    func wait() throws -> Shop.Result { try shop.run("wait", "--published", "--quiet") }

    func status() throws -> LiveStatus { try shop.run("status", "--json").json() }

    /// What the agent counts, by name.
    func metrics() throws -> [String: Int] {
        let result = try Shop.run([
            "curl", "--silent", "--fail", "--unix-socket", "\(shop.state)/control.socket",
            "http://agent/metrics",
        ])
        guard result.code == 0 else { throw Shop.Failure(message: result.errors) }
        return result.output.split(separator: "\n").filter { !$0.hasPrefix("#") }.reduce(into: [:]) {
            let parts = $1.split(separator: " ")
            $0[String(parts[0].dropFirst("imgrec_".count))] = Int(parts[1])
        }
    }
}

/// The parts of `status --json` that tests look at.
struct LiveStatus: Decodable {
    struct Running: Decodable {
        struct Watches: Decodable {
            let used: Int
            let unwatched: [String]
            let pollReason: String?
            let overflows: Int
        }
        let processID: Int
        let state: String
        let heldBack: Int
        let trouble: String?
        let settingsTrouble: String?
        let changeTrouble: String?
        let watches: Watches
        let memoryBytes: Int?
    }
    struct Failed: Decodable {
        let path: String
        let reason: String
    }
    struct Model: Decodable {
        let name: String
    }
    struct Change: Decodable {
        let embedded: Int
        let photos: Int
    }
    let running: Running?
    let model: Model?
    let change: Change?
    let products: Int
    let photos: Int
    let failed: [Failed]
    let folders: Int?
}

/// A setting of the kernel that is changed as long as the value is. Nil where it may not be.
final class KernelSetting: Sendable {
    private let path: String
    private let before: String

    init?(_ name: String, _ value: Int) {
        path = "/proc/sys/fs/inotify/\(name)"
        guard let before = try? String(contentsOfFile: path, encoding: .utf8),
            (try? Data("\(value)\n".utf8).write(to: URL(fileURLWithPath: path))) != nil
        else { return nil }
        self.before = before
    }

    deinit { try? Data(before.utf8).write(to: URL(fileURLWithPath: path)) }
}
