import Glibc
import Imaging
import Products
import Sandbox
import Testing

@testable import PhotoReading

@Suite("What the agent makes of a worker's words")
struct ReadingReplyTests {
    private let shape = PictureShape(width: 2, height: 2, fit: .stretch, filter: .nearest)

    private func result(
        _ text: String, output: Int = 16
    ) throws(WorkerFailure) -> Result<PhotoWorkers.Reading, ImagingError> {
        try ReadingReply(Array(text.utf8)).result([UInt8](repeating: 7, count: output), shapes: [shape])
    }

    private static let read = """
        {"read":{"_0":{"format":"JPEG","variety":"","width":1,"height":1,"frames":1,"hasAlpha":false,"orientation":1,\
        "eighths":8,"notes":NOTES}}}
        """

    @Test(
        "what makes no sense is the worker's failure",
        arguments: [
            "", "x", "{}", "{\"read\":{}}", "{\"failed\":{\"_0\":{\"empty\":1}}}", "[1]",
            String(repeating: "[", count: 60_000), "{\"read\":{\"_0\":{\"format\":\"JPEG\"}}}",
        ])
    func nonsense(text: String) { #expect(throws: WorkerFailure.nonsense) { try result(text) } }

    @Test("a picture of another size is the worker's failure", arguments: [0, 15, 17])
    func size(count: Int) {
        let text = Self.read.replacing("NOTES", with: "[]")
        #expect(throws: WorkerFailure.nonsense) { try result(text, output: count) }
        #expect(throws: Never.self) { try result(text) }
        #expect(throws: WorkerFailure.nonsense) { try result("k", output: count) }
    }

    @Test("numbers that no photo has end nobody, and words are cut to a sentence")
    func extremes() throws {
        let largest = Int.max
        let error = try result(
            "{\"failed\":{\"_0\":{\"tooManyPixels\":{\"width\":\(largest),\"height\":2,\"pixels\":1,\"limit\":1}}}}"
        )
        guard case .failure(let failure) = error else {
            Issue.record("it was read")
            return
        }
        #expect(failure.description.contains("\(largest) x 2 pixels"))
        let long = String(repeating: "x", count: 50_000)
        let damaged = try result("{\"failed\":{\"_0\":{\"damaged\":{\"reason\":\"\(long)\"}}}}")
        #expect(damaged == .failure(.damaged(reason: String(repeating: "x", count: 300))))
        let notes = "[" + (0..<100).map { _ in "\"\(long.prefix(400))\"" }.joined(separator: ",") + "]"
        let reading = try result(Self.read.replacing("NOTES", with: notes)).get()
        #expect(reading.description?.notes.count == 8)
        #expect(reading.description?.notes.allSatisfy { $0.count == 300 } == true)
        #expect(try result("k").get().description == nil)
    }

    @Test("a worker's setup is read as it was written")
    func setup() {
        let reader = PhotoReader(
            shape: PictureShape(
                width: 2, height: 3, fit: .crop(shortSide: 5), filter: .lanczos, trim: .usual,
                background: .init(red: 1, green: 2, blue: 3)),
            limits: .init(fileBytes: 1, pixels: 2))
        let limits = WorkerLimits(memoryBytes: 1 << 40, timeoutSeconds: 7)
        let setup = WorkerSetup(
            WorkerSetup(reader: reader, limits: limits, isContained: true, describesAll: false).bytes)
        #expect(setup?.reader == reader && setup?.limits == limits && setup?.isContained == true)
        #expect(WorkerSetup([1, 2, 3]) == nil)
    }
}
