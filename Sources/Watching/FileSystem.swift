import CLinux

/// File systems whose files other hosts, or a program of their own, may change without the kernel reporting it.
enum FileSystem {
    /// The name of the file system that a descriptor is on, if it is such a one. The numbers are those of statfs(2).
    static func remoteKind(of descriptor: Int32) -> String? {
        names[imgrec_file_system_type(descriptor)]
    }

    private static let names: [UInt32: String] = [
        0x6969: "NFS", 0x517B: "SMB", 0xFE53_4D42: "SMB", 0xFF53_4D42: "SMB (CIFS)", 0x6573_5546: "FUSE",
        0x00C3_6400: "Ceph", 0x0102_1997: "9P", 0x5346_414F: "AFS", 0x7375_7245: "Coda",
        0x0BD0_0BD0: "Lustre",
        0x0116_1970: "GFS2", 0x7461_636F: "OCFS2",
    ]
}
