import Foundation

/// What an agent answers, as it comes: HTTP/1.1 (RFC 9112).
struct Answer {
    /// In bytes. Whoever says more before the body, or in one chunk's head, is no agent.
    private static let longestHead = 1 << 16

    /// Why it cannot be used, and what helps.
    struct Objection: Hashable {
        let reason: String
        var remedy: String?
    }

    private let accepted: String?
    private var received: [UInt8] = []
    private var decoder: ChunkDecoder?
    /// The first line of an answer that is not the one that was asked for, and what it says.
    private var refusal: (line: String, body: [UInt8])?

    /// - Parameter status: what the first line has to have; nil where any will do.
    init(accepts status: String?) { accepted = status }

    /// Whether all that stands before the body has come.
    var hasHead: Bool { decoder != nil }

    /// Takes in what has come.
    ///
    /// - Parameter body: takes a part of the body. False where it is not an agent's.
    /// - Returns: false where this is no answer of an agent's, or too long.
    mutating func take(_ bytes: ArraySlice<UInt8>, _ body: (Data) -> Bool) -> Bool {
        received += bytes
        if decoder == nil, let headEnd = received.firstRange(of: Array("\r\n\r\n".utf8)) {
            let head = String(decoding: received[..<headEnd.lowerBound], as: UTF8.self)
            if let accepted, !head.contains(accepted) {
                refusal = (String(head.prefix { !$0.isNewline }), [])
            }
            decoder = ChunkDecoder(isChunked: head.lowercased().contains("chunked"))
            received.removeSubrange(..<headEnd.upperBound)
        }
        var isAnswer = true
        if let part = decoder?.take(&received) {
            if refusal == nil { isAnswer = body(Data(part)) } else { refusal?.body += part }
        }
        // What is left is a part of the head, or of a chunk's size.
        return isAnswer && received.count < Self.longestHead && refusal?.body.count ?? 0 < Self.longestHead
    }

    /// Once it is through: why it cannot be used; nil where it can, or says itself why not.
    var objection: Objection? {
        guard hasHead else {
            return Objection(reason: "it went away before it answered", remedy: "Run this again.")
        }
        guard let refusal else { return nil }
        if refusal.line.contains(" 404 ") {
            return Objection(reason: "it is of another version than this command", remedy: "Restart it.")
        }
        return failure == nil ? Objection(reason: "it answers: \(refusal.line)") : nil
    }

    /// What the agent says is wrong.
    var failure: ControlMessage.Failure? {
        refusal.flatMap { try? JSONDecoder().decode(ControlMessage.Failure.self, from: Data($0.body)) }
    }
}

/// Takes the chunks' sizes out of a body (RFC 9112, 7.1).
private struct ChunkDecoder {
    let isChunked: Bool
    private var remaining = 0

    init(isChunked: Bool) { self.isChunked = isChunked }

    /// What can be decoded of what was received, which is taken away from it.
    mutating func take(_ received: inout [UInt8]) -> [UInt8] {
        var rest = received[...]
        var decoded: [UInt8] = []
        defer { received = Array(rest) }
        while !rest.isEmpty {
            if !isChunked || remaining > 0 {
                let part = isChunked ? rest.prefix(remaining) : rest
                decoded += part
                remaining -= isChunked ? part.count : 0
                rest = rest.dropFirst(part.count)
            } else {
                // After a chunk's bytes its end of line, and then the next one's size.
                guard let end = rest.firstRange(of: Array("\r\n".utf8)) else { break }
                let size = String(decoding: rest[..<end.lowerBound], as: UTF8.self)
                rest = rest[end.upperBound...]
                remaining = Int(size.prefix { $0 != ";" }, radix: 16) ?? 0
            }
        }
        return decoded
    }
}
