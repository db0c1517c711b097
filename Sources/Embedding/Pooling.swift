import Foundation

/// How one vector is made of what a network gives: of a feature map, or of tokens.
package enum Pooling: Hashable, Sendable {
    /// The output is the vector.
    case none
    /// Of each channel of a feature map the mean.
    case average(ModelManifest.Layout)
    /// Of each channel of a feature map the largest value.
    case max(ModelManifest.Layout)
    /// Of each channel of a feature map the p-th root of the mean of the p-th powers; GeM in Radenovic, Tolias and Chum,
    /// "Fine-tuning CNN Image Retrieval with No Human Annotation", 2018.
    case generalizedMean(ModelManifest.Layout, p: Double)
    /// The first token.
    case classToken
    /// The mean of the tokens from a place on: before it stand the class token and registers.
    case meanOfTokens(from: Int)

    /// As a manifest has it.
    package enum Name: String, CaseIterable, Sendable {
        case none, average, max, gem
        case classToken = "class_token"
        case meanTokens = "mean_tokens"
    }

    /// GeM's values are at least this, so that a root can be drawn: the reference code's `eps`.
    private static let smallest = 1e-6

    /// Why an output of this shape cannot be pooled to vectors of this dimension; nil where it can.
    func objection(to shape: [Int], dimension: Int) -> String? {
        switch self {
        case .none:
            shape.reduce(1, *) == dimension ? nil : "\(dimension) values"
        case .average(let layout), .max(let layout), .generalizedMean(let layout, _):
            shape.count == 4 && shape[0] == 1 && shape[layout == .nchw ? 1 : 3] == dimension
                ? nil
                : layout == .nchw
                    ? "[1, \(dimension), height, width]" : "[1, height, width, \(dimension)]"
        case .classToken:
            shape.count == 3 && shape[0] == 1 && shape[1] > 0 && shape[2] == dimension
                ? nil : "[1, tokens, \(dimension)]"
        case .meanOfTokens(let first):
            shape.count == 3 && shape[0] == 1 && shape[1] > first && shape[2] == dimension
                ? nil : "[1, more than \(first) tokens, \(dimension)]"
        }
    }

    /// The vector of an output that there is no objection to. Sums run in double precision and in order.
    func pooled(_ values: UnsafeBufferPointer<Float>, dimension: Int) -> [Float] {
        func mean(_ levels: some Collection<Double>) -> Double { levels.reduce(0, +) / Double(levels.count) }
        switch self {
        case .none:
            return Array(values)
        case .average(let layout):
            return channels(of: values, dimension, layout) { mean($0) }
        case .max(let layout):
            return channels(of: values, dimension, layout) { $0.max() ?? 0 }
        case .generalizedMean(let layout, let p):
            return channels(of: values, dimension, layout) { levels in
                pow(mean(levels.map { pow(Swift.max($0, Self.smallest), p) }), 1 / p)
            }
        case .classToken:
            return Array(values[..<dimension])
        case .meanOfTokens(let first):
            let kept = UnsafeBufferPointer(rebasing: values[(first * dimension)...])
            return channels(of: kept, dimension, .nhwc) { mean($0) }
        }
    }

    /// - Parameter reduce: makes one value of those of a channel, which come in the order of their places.
    private func channels(
        of values: UnsafeBufferPointer<Float>, _ dimension: Int, _ layout: ModelManifest.Layout,
        _ reduce: ([Double]) -> Double
    ) -> [Float] {
        let places = values.count / dimension
        let (channelStep, placeStep) = layout == .nchw ? (places, 1) : (1, dimension)
        return (0..<dimension).map { channel in
            Float(reduce((0..<places).map { Double(values[channel * channelStep + $0 * placeStep]) }))
        }
    }
}

extension Pooling: CustomStringConvertible {
    /// In words, with all that the vector depends on.
    package var description: String {
        switch self {
        case .none: "none"
        case .average(let layout): "global average (\(layout.rawValue))"
        case .max(let layout): "global maximum (\(layout.rawValue))"
        case .generalizedMean(let layout, let p): "generalised mean with p \(p) (\(layout.rawValue))"
        case .classToken: "class token"
        case .meanOfTokens(let first): "mean of the tokens from \(first) on"
        }
    }
}
