import Embedding
import Foundation
import Products
import Settings
import Synchronization
import Threads

/// How many photos a second a model embeds here, without reading them.
package enum ModelSpeed {
    /// How long is measured, after each lane has embedded one.
    private static let span = Duration.milliseconds(1000)

    /// - Parameter threads: how many pictures are embedded at once.
    package static func measured(_ model: Model, shapes: [PictureShape], threads: Int) throws -> Double {
        let pictures = shapes.map { shape in
            Picture(
                width: shape.width, height: shape.height,
                pixels: (0..<shape.width * shape.height * Picture.bytesPerPixel).map { UInt8($0 * 7 % 251) })
        }
        let count = Atomic(0)
        let isWarm = DispatchSemaphore(value: 0)
        let isOver = Atomic(false)
        let failure = Mutex<ModelError?>(nil)
        let makeLane: @Sendable () throws(ThreadError) -> OwnThread = { () throws(ThreadError) in
            try OwnThread("speed") {
                do throws(ModelError) {
                    let lane = try model.makeLane()
                    // A picture without a direction takes as long as another.
                    func embed() throws(ModelError) {
                        do throws(EmbeddingError) { _ = try lane.embed(pictures) } catch {
                            if case .inference(let error) = error { throw error }
                        }
                    }
                    try embed()
                    isWarm.signal()
                    while !isOver.load(ordering: .relaxed) {
                        try embed()
                        count.add(1, ordering: .relaxed)
                    }
                } catch {
                    failure.withLock { $0 = error }
                    isWarm.signal()
                }
            }
        }
        // Fewer threads than are wanted give no speed, but an error.
        var lanes: [OwnThread] = []
        do {
            for _ in 0..<threads { lanes.append(try makeLane()) }
        } catch {
            isOver.store(true, ordering: .relaxed)
            for lane in lanes { lane.join() }
            throw error
        }
        for _ in 0..<threads { isWarm.wait() }
        let (start, before) = (ContinuousClock.now, count.load(ordering: .relaxed))
        Thread.sleep(forTimeInterval: span.seconds)
        let (end, after) = (ContinuousClock.now, count.load(ordering: .relaxed))
        isOver.store(true, ordering: .relaxed)
        for lane in lanes { lane.join() }
        if let error = failure.withLock({ $0 }) { throw error }
        // A slow network may not have finished one meanwhile: then the end of those that were begun counts.
        guard after == before else { return Double(after - before) / (end - start).seconds }
        return Double(count.load(ordering: .relaxed) - before) / (ContinuousClock.now - start).seconds
    }
}

/// Speeds that were measured, in the cache folder: measuring one takes seconds.
package struct KnownSpeeds {
    private let file: String?
    private var speeds: [String: Double]

    package init(cacheFolder: String?) {
        file = cacheFolder.map { "\($0)/speeds.json" }
        let data = file.flatMap { FileManager.default.contents(atPath: $0) }
        speeds = data.flatMap { try? JSONDecoder().decode([String: Double].self, from: $0) } ?? [:]
    }

    /// What is known of a model's speed; measured where nothing is.
    ///
    /// - Parameter onMeasure: called before it is measured, which takes seconds.
    package mutating func speed(of source: ModelSource, _ settings: Settings, onMeasure: () -> Void = {})
        throws -> Double
    {
        let threads = settings.effectiveThreads
        if let known = speeds[Self.key(source, threads)] { return known }
        onMeasure()
        let model = try source.load(threads: threads, cache: settings.networkCache)
        let measured = try ModelSpeed.measured(model, shapes: source.shapes, threads: threads)
        note(measured, of: source, threads: threads)
        return measured
    }

    /// Keeps what was measured, in the place of what was known.
    package mutating func note(_ measured: Double, of source: ModelSource, threads: Int) {
        speeds[Self.key(source, threads)] = measured
        guard let file, let data = try? JSONEncoder().encode(speeds) else { return }
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // Where it cannot be kept it is measured again.
        try? data.write(to: URL(fileURLWithPath: file), options: .atomic)
    }

    private static func key(_ source: ModelSource, _ threads: Int) -> String {
        "\(source.identity) \(threads) \(processor)"
    }

    private static let processor: String = {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let names = ["model name", "CPU part"]
        let line = text.split(separator: "\n").first { line in names.contains { line.hasPrefix($0) } }
        return line.map { $0.split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "" } ?? ""
    }()
}
