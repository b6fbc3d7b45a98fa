// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// Standard_ND96isr_MI300X_v5, as a machine description.
    static let azureNdMi300x = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "Standard_ND96isr_MI300X_v5",
         "source": "NCCL topology file 8p_942vm of ROCm/rccl (BSD-3-Clause)",
         "note": "The hypervisor hides switches: each function has its own PCI domain. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0010:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 0, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_2", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0011:00:00.0", "vendor": "1002", "device": "74b5", "class": "120000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0020:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 0, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_0", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs1", "major": 231, "minor": 193}]}]},
          {"address": "0021:00:00.0", "vendor": "1002", "device": "74b5", "class": "120000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0030:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 0, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_1", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs2", "major": 231, "minor": 194}]}]},
          {"address": "0031:00:00.0", "vendor": "1002", "device": "74b5", "class": "120000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0040:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 0, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_3", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs3", "major": 231, "minor": 195}]}]},
          {"address": "0041:00:00.0", "vendor": "1002", "device": "74b5", "class": "120000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0050:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 1, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_5", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs4", "major": 231, "minor": 196}]}]},
          {"address": "0051:00:00.0", "vendor": "1002", "device": "74b5", "class": "120000", "numaNode": 1, "driver": "amdgpu"},
          {"address": "0060:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 1, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_6", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs5", "major": 231, "minor": 197}]}]},
          {"address": "0061:00:00.0", "vendor": "1002", "device": "74b5", "class": "120000", "numaNode": 1, "driver": "amdgpu"},
          {"address": "0070:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 1, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_7", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs6", "major": 231, "minor": 198}]}]},
          {"address": "0071:00:00.0", "vendor": "1002", "device": "74b5", "class": "120000", "numaNode": 1, "driver": "amdgpu"},
          {"address": "0080:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 1, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_4", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs7", "major": 231, "minor": 199}]}]},
          {"address": "0081:00:00.0", "vendor": "1002", "device": "74b5", "class": "120000", "numaNode": 1, "driver": "amdgpu"}
         ]}
        """#
}
