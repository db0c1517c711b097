import Glibc
import Logging

/// Writes log lines to standard error: for the journal with its priority in front (sd-daemon(3)), for a person with
/// the time.
package struct ServiceLog: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let isForJournal: Bool
    private let descriptor: Int32

    /// - Parameters:
    ///   - descriptor: where to write.
    ///   - journalStream: the value of JOURNAL_STREAM, in which the service manager names the file that leads to the
    ///     journal: it may have been redirected since.
    package init(
        level: Logger.Level, descriptor: Int32 = STDERR_FILENO,
        journalStream: String? = getenv("JOURNAL_STREAM").map { String(cString: $0) }
    ) {
        logLevel = level
        self.descriptor = descriptor
        var file = stat()
        isForJournal =
            fstat(descriptor, &file) == 0 && journalStream == "\(file.st_dev):\(file.st_ino)"
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let prefix = isForJournal ? "<\(Self.priority(of: event.level))>" : "\(Self.time()) \(event.level): "
        // Every line is a record of its own, and nothing in it moves a terminal's cursor.
        for text in "\(event.message)".split(whereSeparator: \.isNewline) {
            let safe = String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 })
            var bytes = Array("\(prefix)\(String(safe))\n".utf8)[...]
            while !bytes.isEmpty {
                let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                guard written > 0 else { return }  // nobody is left to be told
                bytes = bytes.dropFirst(written)
            }
        }
    }

    /// The priority of syslog(3).
    private static func priority(of level: Logger.Level) -> Int {
        switch level {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }

    private static func time() -> String {
        var now = time_t()
        Glibc.time(&now)
        var parts = tm()
        localtime_r(&now, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }
}
