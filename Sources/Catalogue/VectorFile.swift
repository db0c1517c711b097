import Files
import Foundation
import Products
import Synchronization

/// The products' vectors in full precision, row by row, in a file of the state folder: float32 as the CPU has it,
/// each row filled up with zeros to a multiple of 16 values.
///
/// It holds nothing that is not in the catalogue, and is read where reading a vector out of the database would take
/// too long. Nothing depends on the order in which file and database reach the disk: the catalogue has the digest of
/// each row, and a row that is not as it says is written anew.
package final class VectorFile: Sendable {
    package let file: String
    /// How many values a row has.
    package let rowLength: Int
    private let descriptor: Int32
    private let files: any FileCalls
    /// Of rows that were written and whose digest is not in the catalogue yet.
    private let written = Mutex<[Int: ContentDigest]>([:])

    private static let prefix = "vectors-"
    private static let ending = ".f32"

    /// Opens a model's file, and makes it where there is none.
    ///
    /// - Parameter files: the calls to the file system.
    package init(
        stateFolder: String, model: ModelNumber, dimension: Int, files: any FileCalls = SystemFiles()
    ) throws(CatalogueError) {
        file = "\(stateFolder)/\(Self.name(of: model))"
        rowLength = (dimension + 15) / 16 * 16
        self.files = files
        descriptor = files.open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw .vectors(file: file, reason: Self.reason(errno)) }
    }

    deinit { close(descriptor) }

    /// Removes the files of models that are not among these.
    static func removeAll(but models: Set<ModelNumber>, stateFolder: String) {
        let kept = Set(models.map { name(of: $0) })
        let names = (try? FileManager.default.contentsOfDirectory(atPath: stateFolder)) ?? []
        for name in names where name.hasPrefix(prefix) && name.hasSuffix(ending) && !kept.contains(name) {
            _ = SystemFiles().unlinkat(AT_FDCWD, "\(stateFolder)/\(name)", 0)
        }
    }

    private static func name(of model: ModelNumber) -> String { "\(prefix)\(model.id)\(ending)" }

    /// Reads the rows of neighbouring slots; those that were never written as zeros. May be called from several
    /// threads.
    ///
    /// - Parameters:
    ///   - rows: room for whole rows.
    ///   - place: the row of it that the first goes to.
    package func read(_ slots: Range<Int>, into rows: inout [Float], at place: Int) throws(CatalogueError) {
        let bytesPerRow = rowLength * 4
        let failure = rows.withUnsafeMutableBytes { bytes -> Int32? in
            let wanted = UnsafeMutableRawBufferPointer(
                rebasing: bytes[place * bytesPerRow..<(place + slots.count) * bytesPerRow])
            let (count, failure) = files.readAll(descriptor, wanted, at: slots.lowerBound * bytesPerRow)
            if failure == nil { for index in count..<wanted.count { wanted[index] = 0 } }
            return failure
        }
        if let failure { throw .vectors(file: file, reason: Self.reason(failure)) }
    }

    /// Writes a slot's row. May be called from several threads.
    package func write(_ vector: Embedding, to slot: Int) throws(CatalogueError) {
        let row = vector.values + [Float](repeating: 0, count: rowLength - vector.values.count)
        let digest = digest(of: row.span)
        written.withLock { $0[slot] = digest }
        let failure = row.withUnsafeBytes { files.writeAll(descriptor, $0, at: slot * $0.count) }
        switch failure {
        case nil: return
        case ENOSPC, EDQUOT: throw .full(file: file)
        case .some(let number): throw .vectors(file: file, reason: Self.reason(number))
        }
    }

    /// What a vector's row is told by.
    package func digest(of row: Span<Float>) -> ContentDigest {
        row.withUnsafeBytes { ContentDigest(of: $0) }
    }

    package func digest(of vector: Embedding) -> ContentDigest {
        let row = vector.values + [Float](repeating: 0, count: rowLength - vector.values.count)
        return digest(of: row.span)
    }

    /// The digest of a row that was written since it was asked for last; nil for one that was not.
    package func takeDigest(ofSlot slot: Int) -> ContentDigest? {
        written.withLock { $0.removeValue(forKey: slot) }
    }

    private static func reason(_ code: Int32) -> String { errnoText(code) }
}
