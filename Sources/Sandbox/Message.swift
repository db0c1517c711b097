import Glibc

/// What goes over the channel: datagrams of bytes, none longer than `longest`.
enum Message {
    static let longest = 1 << 16

    enum Received {
        case message([UInt8])
        case timeout
        /// Longer than any message may be.
        case tooLong
        /// The other side is gone.
        case closed
    }

    static func send(_ bytes: [UInt8], to channel: Int32) -> Bool {
        precondition(bytes.count <= longest)
        while true {
            // A worker that is gone is told by an error, not by a signal. There is always room for one message, unless the
            // worker has not read those before: then it is not waited for.
            let sent = Glibc.send(channel, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            if sent < 0 && errno == EINTR { continue }
            return sent == bytes.count
        }
    }

    /// The same with write(2): a contained worker has no calls for sockets. Its SIGPIPE ends it, as it should.
    static func write(_ bytes: [UInt8], to channel: Int32) -> Bool {
        while true {
            let sent = Glibc.write(channel, bytes, bytes.count)
            if sent < 0 && errno == EINTR { continue }
            return sent == bytes.count
        }
    }

    /// Whether there is something to receive, or the other side is gone.
    static func isWaiting(on channel: Int32) -> Bool {
        var poll = pollfd(fd: channel, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) != 0
    }

    static func receive(from channel: Int32, seconds: Int) -> Received {
        receive(from: channel, until: .now + .seconds(seconds))
    }

    static func receive(from channel: Int32, until end: ContinuousClock.Instant) -> Received {
        while true {
            let left = (end - .now).components
            let milliseconds = Int64(left.seconds) * 1000 + left.attoseconds / 1_000_000_000_000_000
            guard milliseconds > 0 else { return .timeout }
            var poll = pollfd(fd: channel, events: Int16(POLLIN), revents: 0)
            let ready = Glibc.poll(&poll, 1, Int32(clamping: milliseconds + 1))
            if ready < 0 && errno == EINTR { continue }
            if ready == 0 { return .timeout }
            guard ready > 0 else { return .closed }
            return receive(from: channel)
        }
    }

    /// Waits without end. An empty message is none: the kernel says so where the other side is gone.
    static func receive(from channel: Int32) -> Received {
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: longest + 1) { buffer, initialized in
            repeat {
                count = read(channel, buffer.baseAddress!, longest + 1)
            } while count < 0 && errno == EINTR
            initialized = max(count, 0)
        }
        guard count > 0 else { return .closed }
        return count <= longest ? .message(bytes) : .tooLong
    }

    static func number(_ value: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    static func number(_ bytes: [UInt8]) -> Int? {
        guard bytes.count == 8 else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}

/// The first thing that a worker says.
enum WorkerGreeting: Hashable {
    case contained(Containment)
    case failed(String)
    /// It said nothing.
    case ended

    init(_ bytes: [UInt8]) {
        switch bytes.first {
        case UInt8(ascii: "c") where bytes.count == 3:
            self = .contained(Containment(landlock: Int(bytes[1]), hasFilter: bytes[2] == 1))
        case UInt8(ascii: "f"): self = .failed(String(decoding: bytes.dropFirst(), as: UTF8.self))
        default: self = .failed("it gave an answer that makes no sense")
        }
    }

    var bytes: [UInt8] {
        switch self {
        case .contained(let containment):
            [UInt8(ascii: "c"), UInt8(clamping: containment.landlock), containment.hasFilter ? 1 : 0]
        case .failed(let reason): [UInt8(ascii: "f")] + Array(reason.utf8.prefix(1000))
        case .ended: []
        }
    }
}
