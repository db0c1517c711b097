import Foundation
import TestSupport
import Testing

@testable import Control

@Suite("An agent's answer")
struct AnswerTests {
    /// Takes an answer in pieces of some lengths.
    private func read(
        _ text: String, accepts status: String? = " 200 ", using random: inout SeededRandom
    ) -> (answer: Answer, body: String, isAnswer: Bool) {
        var answer = Answer(accepts: status)
        var body = Data()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...max(1, rest.count / 2), using: &random))
            guard
                answer.take(
                    piece,
                    {
                        body += $0
                        return true
                    })
            else { return (answer, "", false) }
            rest = rest.dropFirst(piece.count)
        }
        return (answer, String(decoding: body, as: UTF8.self), true)
    }

    @Test("is the same in whatever pieces it comes, whole or in chunks", arguments: [1, 2, 3])
    func pieces(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let lines = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                String(repeating: "x\r\ny", count: Int.random(in: 1...30, using: &random))
            }
            let chunks = lines.map { "\(String($0.utf8.count, radix: 16));ext=1\r\n\($0)\r\n" }.joined()
            let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)0\r\n\r\n"
            let (answer, body, isAnswer) = read(chunked, using: &random)
            #expect(isAnswer && answer.hasHead && answer.objection == nil, "seed \(seed)")
            #expect(body == lines.joined(), "seed \(seed)")
            let whole = "HTTP/1.1 200 OK\r\n\r\n\(lines.joined())"
            #expect(read(whole, using: &random).body == lines.joined(), "seed \(seed)")
        }
    }

    @Test("that is a refusal is told with what the agent says, or else with its first line")
    func refusals() {
        var random = SeededRandom(seed: 1)
        func answer(_ status: String, _ body: String = "") -> Answer {
            read("HTTP/1.1 \(status)\r\nServer: x\r\n\r\n\(body)", using: &random).answer
        }
        let failed = answer("500 No", #"{"message":"a is b","exitCode":75}"#)
        #expect(failed.objection == nil && failed.failure == .init(message: "a is b", exitCode: .tryAgain))
        #expect(answer("404 Not Found").objection?.reason.contains("another version") == true)
        #expect(answer("503 Busy", "x").objection?.reason == "it answers: HTTP/1.1 503 Busy")
        let cut = read("HTTP/1.1 200 OK\r\n", using: &random).answer
        #expect(cut.objection?.reason.contains("went away") == true)
        #expect(read("HTTP/1.1 503 x\r\n\r\n", accepts: nil, using: &random).answer.objection == nil)
    }

    @Test("whoever says too much before the body, or of a chunk's size, is no agent")
    func endless() {
        var random = SeededRandom(seed: 1)
        let endless = String(repeating: "x", count: 1 << 17)
        #expect(!read(endless, using: &random).isAnswer)
        #expect(
            !read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(endless)", using: &random).isAnswer)
        #expect(!read("HTTP/1.1 500 No\r\n\r\n\(endless)", using: &random).isAnswer)
    }
}
