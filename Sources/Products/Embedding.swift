/// A vector of unit length; the dot product of two is their cosine similarity.
package struct Embedding: Hashable, Sendable {
    package let values: [Float]

    package enum Failure: Error, Hashable, CustomStringConvertible {
        case zeroOrNotFinite

        package var description: String {
            "the model gave a vector without a direction (all zero, or not finite), so nothing can be compared with it"
        }
    }

    /// Scales a vector to unit length. The sums run in double precision and in order, so that the same values
    /// give the same bits.
    package init(normalizing values: [Float]) throws(Failure) {
        let squares = Self.squaredLength(values)
        guard squares.isFinite, squares > 0 else { throw .zeroOrNotFinite }
        let scale = 1 / squares.squareRoot()
        self.values = values.map { Float(Double($0) * scale) }
    }

    /// The normalised mean of a product's photos, or the first where the mean has no direction.
    ///
    /// - Parameter embeddings: at least one, all of one dimension, in the order of their photos' paths.
    package init(meanOf embeddings: [Embedding]) {
        precondition(!embeddings.isEmpty)
        guard embeddings.count > 1 else {
            self = embeddings[0]
            return
        }
        var sums = [Double](repeating: 0, count: embeddings[0].values.count)
        for embedding in embeddings {
            for index in sums.indices { sums[index] += Double(embedding.values[index]) }
        }
        let count = Double(embeddings.count)
        self = (try? Embedding(normalizing: sums.map { Float($0 / count) })) ?? embeddings[0]
    }

    // MARK: As stored

    /// Little-endian float32, as the catalogue keeps it.
    package var littleEndianBytes: [UInt8] {
        values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
    }

    /// Returns nil unless the bytes are float32 values whose length is 1 within rounding.
    package init?(littleEndianBytes bytes: some RandomAccessCollection<UInt8>) {
        guard bytes.count % 4 == 0, !bytes.isEmpty else { return nil }
        let values = Array(bytes).withUnsafeBytes { raw in
            (0..<raw.count / 4).map {
                Float(
                    bitPattern: UInt32(
                        littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
            }
        }
        guard abs(Self.squaredLength(values) - 1) < 1e-4 else { return nil }
        self.values = values
    }

    private static func squaredLength(_ values: [Float]) -> Double {
        var sum = 0.0
        for value in values { sum += Double(value) * Double(value) }
        return sum
    }
}
