// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// BM.GPU.B4.8, as a machine description.
    static let ociBmGpuB4 = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "BM.GPU.B4.8",
         "source": "Oracle's NCCL topology file for BM.GPU.B4.8 (UPL-1.0)",
         "note": "The source has no ids; the ids of the machine type are used. From a NCCL topology file: bridges are switch ports, and host bridges and root ports are unknown. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 1}, {"id": 3}, {"id": 5}, {"id": 7}],
         "functions": [
          {"address": "0000:0c:00.0", "vendor": "15b3", "device": "1019", "class": "020000", "path": ["0000:01:00.0"], "numaNode": 3, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0000:0f:00.0", "vendor": "10de", "device": "20b2", "class": "030200", "path": ["0000:01:00.0"], "numaNode": 3, "driver": "nvidia"},
          {"address": "0000:15:00.0", "vendor": "10de", "device": "20b2", "class": "030200", "path": ["0000:01:00.0"], "numaNode": 3, "driver": "nvidia"},
          {"address": "0000:16:00.0", "vendor": "15b3", "device": "1019", "class": "020000", "path": ["0000:01:00.0"], "numaNode": 3, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_1", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs1", "major": 231, "minor": 193}]}]},
          {"address": "0000:47:00.0", "vendor": "15b3", "device": "1019", "class": "020000", "path": ["0000:3f:00.0"], "numaNode": 1, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_2", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs2", "major": 231, "minor": 194}]}]},
          {"address": "0000:4b:00.0", "vendor": "15b3", "device": "1019", "class": "020000", "path": ["0000:3f:00.0"], "numaNode": 1, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_3", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs3", "major": 231, "minor": 195}]}]},
          {"address": "0000:50:00.0", "vendor": "10de", "device": "20b2", "class": "030200", "path": ["0000:3f:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:53:00.0", "vendor": "10de", "device": "20b2", "class": "030200", "path": ["0000:3f:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:89:00.0", "vendor": "15b3", "device": "1019", "class": "020000", "path": ["0000:7e:00.0"], "numaNode": 7, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_4", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs4", "major": 231, "minor": 196}]}]},
          {"address": "0000:8c:00.0", "vendor": "10de", "device": "20b2", "class": "030200", "path": ["0000:7e:00.0"], "numaNode": 7, "driver": "nvidia"},
          {"address": "0000:91:00.0", "vendor": "10de", "device": "20b2", "class": "030200", "path": ["0000:7e:00.0"], "numaNode": 7, "driver": "nvidia"},
          {"address": "0000:93:00.0", "vendor": "15b3", "device": "1019", "class": "020000", "path": ["0000:7e:00.0"], "numaNode": 7, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_5", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs5", "major": 231, "minor": 197}]}]},
          {"address": "0000:c3:00.0", "vendor": "15b3", "device": "1019", "class": "020000", "path": ["0000:bb:00.0"], "numaNode": 5, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_6", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs6", "major": 231, "minor": 198}]}]},
          {"address": "0000:d1:00.0", "vendor": "15b3", "device": "1019", "class": "020000", "path": ["0000:bb:00.0"], "numaNode": 5, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_7", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs7", "major": 231, "minor": 199}]}]},
          {"address": "0000:d6:00.0", "vendor": "10de", "device": "20b2", "class": "030200", "path": ["0000:bb:00.0"], "numaNode": 5, "driver": "nvidia"},
          {"address": "0000:da:00.0", "vendor": "10de", "device": "20b2", "class": "030200", "path": ["0000:bb:00.0"], "numaNode": 5, "driver": "nvidia"}
         ]}
        """#
}
