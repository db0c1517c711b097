import Foundation
import Products

/// Keeps what OpenVINO has compiled, so that the next start need not.
///
/// A network has a folder of its own in it, named after all that its compiled form depends on, with a list of the SHA-256
/// of each file. A folder that does not agree with its list, as after a crash or a fault of the disk, is made anew, and
/// so is one that OpenVINO does not take. Where nothing can be kept, nothing is.
package struct NetworkCache: Hashable, Sendable {
    package let folder: String
    /// A larger network is not kept: it takes as long to read it as to compile it.
    package let maxBytes: Int

    private static let list = "sha256sums"

    package init(folder: String, maxBytes: Int) { (self.folder, self.maxBytes) = (folder, maxBytes) }

    /// - Parameters:
    ///   - bytes: the size of the network's files.
    ///   - name: of the network; the folders of the same name that are kept for another key are removed.
    ///   - key: all that the compiled form depends on.
    ///   - compile: given a folder to read from and to write to, or none.
    func load(
        _ name: String, bytes: Int, key: ContentDigest,
        _ compile: (String?) throws(ModelError) -> CompiledNetwork
    ) throws(ModelError) -> CompiledNetwork {
        guard bytes <= maxBytes else { return try compile(nil) }
        // Not in the name: it says nothing that the key does not.
        let prefix = "\(name.replacing("/", with: "-"))-"
        let own = "\(folder)/\(prefix)\("\(key)".prefix(16))"
        let manager = FileManager.default
        guard (try? manager.createDirectory(atPath: own, withIntermediateDirectories: true)) != nil,
            access(own, W_OK) == 0, let lock = Lock(own)
        else { return try compile(nil) }
        defer { withExtendedLifetime(lock) {} }
        if sums(of: own) != listed(in: own) { empty(own) }
        let network: CompiledNetwork
        do throws(ModelError) {
            network = try compile(own)
        } catch {
            // It may be the fault of what was kept, or of a disk that is full.
            empty(own)
            return try compile(nil)
        }
        if listed(in: own).isEmpty {
            let text = sums(of: own).sorted { $0.key < $1.key }.map { "\($0.value)  \($0.key)\n" }
            try? Data(text.joined().utf8).write(
                to: URL(fileURLWithPath: "\(own)/\(Self.list)"), options: .atomic)
        }
        for other in (try? manager.contentsOfDirectory(atPath: folder)) ?? []
        where other.hasPrefix(prefix) && other.utf8.count == prefix.utf8.count + 16
            && !own.hasSuffix("/\(other)")
        {
            try? manager.removeItem(atPath: "\(folder)/\(other)")
        }
        return network
    }

    private func files(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0 != Self.list }
    }

    private func sums(of folder: String) -> [String: String] {
        files(in: folder).reduce(into: [:]) { sums, name in
            let data = try? Data(
                contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"), options: .mappedIfSafe)
            sums[name] = data.map { "\(ContentDigest(of: $0))" } ?? "unreadable"
        }
    }

    private func listed(in folder: String) -> [String: String] {
        guard let text = try? String(contentsOfFile: "\(folder)/\(Self.list)", encoding: .utf8) else {
            return [:]
        }
        return text.split(separator: "\n").reduce(into: [:]) { sums, line in
            let parts = line.split(separator: " ", maxSplits: 1).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            if parts.count == 2 { sums[parts[1]] = parts[0] }
        }
    }

    private func empty(_ folder: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
    }

    /// Held while a folder is looked at and filled. Nobody waits for it: who wants the same network meanwhile compiles it.
    private final class Lock {
        private let descriptor: Int32

        init?(_ folder: String) {
            descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { return nil }
            // `deinit` closes it here too, for all properties have a value.
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return nil }
        }

        deinit { close(descriptor) }
    }
}
