import Embedding
import Foundation
import TestSupport
import Testing

@testable import Embedder

@Suite("Loading a model", .inLanes)
struct ModelLoaderTests {
    @Test("whoever asks for it gets it, however many ask at once")
    func race() throws {
        let source = try ModelSource(
            named: "efficientnet-lite0", in: ModelLibrary(folders: [Repository.models]), precision: .f32,
            readerVersion: 1)
        for _ in 0..<5 {
            let loader = ModelLoader(source, threads: 1, cache: nil)
            DispatchQueue.concurrentPerform(iterations: 8) { number in
                if number % 2 == 0 { loader.begin() }
                #expect(throws: Never.self) { _ = try loader.model() }
                #expect(loader.isOver && !loader.hasFailed)
            }
            loader.waitForEnd()
        }
        ModelLoader(source, threads: 1, cache: nil).waitForEnd()
    }
}
