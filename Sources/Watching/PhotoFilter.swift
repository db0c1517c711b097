import Glibc

/// Tells by their names which files are photos and which folders are looked into.
package struct PhotoFilter: Hashable, Sendable {
    private let extensions: Set<[UInt8]>
    /// Matched against a name.
    private let namePatterns: [String]
    /// Matched against a path relative to the image folder.
    private let pathPatterns: [String]
    /// Whether a link to a photo inside the image folder counts as one.
    let followsLinks: Bool

    /// - Parameters:
    ///   - extensions: endings of photos, in lower case.
    ///   - excludes: globs of files and folders to pass over, as fnmatch(3) has them: with a slash they are matched
    ///     against the path relative to the image folder, without one against the name.
    package init(extensions: [String], excludes: [String] = [], followsLinks: Bool = false) {
        self.followsLinks = followsLinks
        self.extensions = Set(extensions.map { Array($0.utf8) })
        namePatterns = excludes.filter { !$0.contains("/") }
        pathPatterns = excludes.filter { $0.contains("/") }
            .map { String($0.drop { $0 == "/" }.trimmingSuffix("/")) }
    }

    /// Whether a file or folder is not passed over. Names that begin with a dot are.
    ///
    /// - Parameter path: relative to the image folder; those above it are admitted.
    func admits(_ path: [UInt8]) -> Bool {
        let name = path[(path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...]
        guard name.first != UInt8(ascii: ".") else { return false }
        return !matches(namePatterns, Array(name)) && !matches(pathPatterns, path)
    }

    /// Whether all folders on the way to a path are admitted, and the path itself.
    func admitsWay(to path: [UInt8]) -> Bool {
        path.indices.allSatisfy { path[$0] != UInt8(ascii: "/") || admits(Array(path[..<$0])) }
            && admits(path)
    }

    /// Whether a name has a photo's ending.
    func isPhotoName(_ name: some Collection<UInt8>) -> Bool {
        let name = Array(name)
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > 0 else { return false }
        return extensions.contains(name[(dot + 1)...].map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 })
    }

    private func matches(_ patterns: [String], _ text: [UInt8]) -> Bool {
        guard !patterns.isEmpty else { return false }
        return (text + [0]).withUnsafeBytes { bytes in
            let text = bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
            return patterns.contains { fnmatch($0, text, FNM_PATHNAME) == 0 }
        }
    }
}

extension StringProtocol {
    fileprivate func trimmingSuffix(_ suffix: Character) -> SubSequence {
        var text = self[...]
        while text.last == suffix { text.removeLast() }
        return text
    }
}
